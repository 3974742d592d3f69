import ArgumentParser
import CALM
import CALMTerminal
import Foundation
import Torch

/// `calm eval lm`.
struct EvalLanguageModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lm",
    abstract: "BrierLM and Brier-1 to Brier-4 with standard errors, and the energy score.",
    discussion: """
      Every chunk is predicted from the true text before it in its block, so the score grows with the block: compare \
      scores of one --sequence-length only. Below K = 4 continuations are rolled on, which costs a forward pass for every \
      sample and further chunk. Standard errors come from resampling documents.

      Example:
        calm eval lm runs/lm/model --data data
        calm eval lm runs/lm/model --text held-out.txt --brier-samples 8 --json
      """)

  @Argument(help: ArgumentHelp("The language model's folder.", valueName: "model"))
  var folder: String

  @OptionGroup var brier: BrierOptions

  @Option(help: ArgumentHelp("Autoencoder folder, if not the one in the model's folder.", valueName: "folder"))
  var autoencoder: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadLanguageModel(
      autoencoder: autoencoder.map { URL(fileURLWithPath: $0) }, device: compute.device,
      as: compute.precision)
    let sizes = model.configuration
    let result = try brier.withBlocks(
      for: folder, chunkSize: sizes.chunkSize, vocabularySize: sizes.vocabularySize, special: sizes.special
    ) {
      try model.evaluate(
        on: $0, sequences: brier.text.numSequences, samples: brier.brierSamples, seed: brier.seed, progress: $1)
    }
    let losses = [("energy score", result.energyScore), ("head loss", result.headLoss)]
    let table = brierTable(
      result.brierLM, others: losses.compactMap { name, loss in loss.map { (name, String(format: "%.4f", $0)) } },
      sequenceTokens: result.sequenceTokens, samples: result.samples)
    try report.print(result, text: table + compute.summary)
  }
}

/// `calm eval transformer`.
struct EvalTransformer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transformer",
    abstract: "Cross-entropy, perplexity and BrierLM of an autoregressive Transformer.",
    discussion: """
      BrierLM is that of 'calm eval lm'. Probabilities are exact here where they can be, so few samples are enough. \
      Takes any model folder in the format of Hugging Face's LlamaForCausalLM.

      Example:
        calm eval transformer runs/transformer/model --data data
      """)

  @Argument(help: ArgumentHelp("The model's folder.", valueName: "model"))
  var folder: String

  @OptionGroup var brier: BrierOptions

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadAutoregressiveModel(device: compute.device, as: compute.precision)
    let sizes = model.configuration
    let result = try brier.withBlocks(
      for: folder, chunkSize: 1, vocabularySize: sizes.vocabularySize, special: sizes.special
    ) {
      try model.evaluate(
        on: $0, sequences: brier.text.numSequences, samples: brier.brierSamples, seed: brier.seed, progress: $1)
    }
    let table = brierTable(
      result.brierLM,
      others: [
        ("cross-entropy", String(format: "%.4f", result.crossEntropy)),
        ("perplexity", String(format: "%.3f", result.perplexity)),
      ], sequenceTokens: result.sequenceTokens, samples: result.samples)
    try report.print(result, text: table + compute.summary)
  }
}

/// BrierLM and its parts with their errors, followed by other metrics.
private func brierTable(
  _ score: BrierLM, others: [(name: String, value: String)], sequenceTokens: Int, samples: Int
) -> String {
  func format(_ value: Double, _ error: Double?, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value) + (error.map { String(format: " ± %.\(digits)f", $0) } ?? "")
  }
  var table = Table(alignments: [.left, .left])
  table.append(["BrierLM", format(score.score, score.scoreStandardError, 2)])
  for (index, value) in score.brier.enumerated() {
    table.append(["Brier-\(index + 1)", format(value, score.brierStandardError?[index], 4)])
  }
  for other in others { table.append([other.name, other.value]) }
  return table.text
    + "\(grouped(score.positions)) positions in \(counted(score.documents, "document")), blocks of \(sequenceTokens) tokens, \(samples) samples a position\n"
}

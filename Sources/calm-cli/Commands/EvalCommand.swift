import ArgumentParser
import CALM
import Foundation
import TextCorpus
import Torch

/// `calm eval`.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measure a model on held-out text.",
    discussion: """
      Example:
        calm eval autoencoder runs/autoencoder/model --data data --noise 0,0.3
        calm eval calm runs/calm/model --data data
      """,
    subcommands: [EvalAutoencoder.self, EvalLanguageModel.self])
}

/// `calm eval autoencoder`.
struct EvalAutoencoder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "autoencoder",
    abstract: "Token accuracy of reconstruction, also with noise on the latent.",
    discussion: """
      Example:
        calm eval autoencoder runs/autoencoder/model --data data --noise 0,0.1,0.2,0.3,0.4
      """)

  @Argument(
    help: ArgumentHelp("The autoencoder's folder, or that of a language model on top of it.", valueName: "model"))
  var folder: String

  @OptionGroup var text: EvaluationTextOptions

  @Option(help: ArgumentHelp("Standard deviations of the noise, with commas between.", valueName: "list"))
  var noise = "0,0.1,0.2,0.3,0.4"

  @Option(help: ArgumentHelp("Decides the noise.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  func validate() throws { _ = try levels() }

  private func levels() throws -> [Double] {
    try noise.split(separator: ",").map { part in
      guard let value = Double(part.trimmingCharacters(in: .whitespaces)), value >= 0, value.isFinite else {
        throw ValidationError("--noise takes numbers that are not negative, with commas between, not '\(part)'")
      }
      return value
    }
  }

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadAutoencoder(device: compute.device, as: compute.precision)
    let sizes = model.configuration
    let result = try text.withBlocks(
      for: folder, chunkSize: sizes.chunkSize, blockChunks: 256, vocabularySize: sizes.vocabularySize,
      special: sizes.special
    ) { try model.evaluate(on: $0, blocks: text.blocks, noise: try levels(), seed: seed) }
    var table = Table(header: ["noise", "token accuracy"])
    for level in result.accuracy {
      table.append([String(format: "%g", level.noise), String(format: "%.4f %%", 100 * level.accuracy)])
    }
    try report.print(
      result,
      text: table.text
        + "KL divergence \(String(format: "%.2f", result.divergence)) nats a chunk, \(grouped(result.tokens)) tokens, \(compute.summary)"
    )
  }
}

/// `calm eval calm`.
struct EvalLanguageModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm",
    abstract: "BrierLM and Brier-1 to Brier-4 with standard errors, and the energy loss.",
    discussion: """
      Every chunk is predicted from the true text before it in its block, so the score grows with the block: compare \
      scores of one --block-tokens only. Standard errors come from resampling documents.

      Example:
        calm eval calm runs/calm/model --data data
        calm eval calm runs/calm/model --text held-out.txt --samples 8 --json
      """)

  @Argument(help: ArgumentHelp("The language model's folder.", valueName: "model"))
  var folder: String

  @OptionGroup var text: EvaluationTextOptions

  @Option(help: ArgumentHelp("The autoencoder's folder, if not the one beside the model.", valueName: "folder"))
  var autoencoder: String?

  @Option(help: ArgumentHelp("Tokens in a block.", valueName: "n"))
  var blockTokens = 1024

  @Option(help: ArgumentHelp("Samples drawn a position, 2 or more.", valueName: "n"))
  var samples = 2

  @Option(help: ArgumentHelp("Decides the samples.", valueName: "n"))
  var seed: UInt64 = 0

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    guard samples >= 2 else { throw ValidationError("--samples must be 2 or more, not \(samples)") }
    try positive("--block-tokens", blockTokens)
  }

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadLanguageModel(
      autoencoder: autoencoder.map { URL(fileURLWithPath: $0) }, device: compute.device,
      as: compute.precision)
    let sizes = model.configuration
    guard blockTokens % sizes.chunkSize == 0 else {
      throw ValidationError(
        "--block-tokens must be a multiple of the model's chunk size \(sizes.chunkSize), not \(blockTokens)")
    }
    let result = try text.withBlocks(
      for: folder, chunkSize: sizes.chunkSize, blockChunks: blockTokens / sizes.chunkSize,
      vocabularySize: sizes.vocabularySize, special: sizes.special
    ) { packed in
      let bar = ProgressBar(label: "evaluating", total: min(text.blocks ?? packed.count, packed.count))
      defer { bar.finish() }
      return try model.evaluate(on: packed, blocks: text.blocks, samples: samples, seed: seed) {
        bar.update(completed: $0)
      }
    }
    try report.print(result, text: Self.table(result) + compute.summary)
  }

  static func table(_ result: LanguageModelEvaluation) -> String {
    let score = result.brierLM
    func figure(_ value: Double, _ error: Double?, _ digits: Int) -> String {
      String(format: "%.\(digits)f", value) + (error.map { String(format: " ± %.\(digits)f", $0) } ?? "")
    }
    var table = Table(alignments: [.left, .left])
    table.append(["BrierLM", figure(score.score, score.scoreStandardError, 2)])
    for (index, value) in score.brier.enumerated() {
      table.append(["Brier-\(index + 1)", figure(value, score.brierStandardError?[index], 4)])
    }
    table.append(["energy loss", String(format: "%.4f", result.energyLoss)])
    return table.text
      + "\(grouped(score.positions)) positions in \(counted(score.documents, "document")), blocks of \(result.blockTokens) tokens, \(result.samples) samples a position\n"
  }
}

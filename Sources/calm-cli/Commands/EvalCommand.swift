import ArgumentParser
import CALM
import CALMCorpus
import CALMTerminal
import Foundation
import Torch

/// `calm eval`.
struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Measure a model on held-out text.",
    discussion: """
      Example:
        calm eval autoencoder runs/autoencoder/model --data data --noise-levels 0,0.3
        calm eval lm runs/lm/model --data data
        calm eval transformer runs/transformer/model --data data
      """,
    subcommands: [EvalAutoencoder.self, EvalLanguageModel.self, EvalTransformer.self])
}

/// `calm eval autoencoder`.
struct EvalAutoencoder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "autoencoder",
    abstract: "Measure the token accuracy of reconstruction, with and without noise on the latent.",
    discussion: """
      Example:
        calm eval autoencoder runs/autoencoder/model --data data --noise-levels 0,0.1,0.2,0.3,0.4
      """)

  @Argument(
    help: ArgumentHelp("Folder of an autoencoder, or of a language model that contains one.", valueName: "model"))
  var folder: String

  @OptionGroup var text: EvaluationTextOptions

  @Option(help: ArgumentHelp("Standard deviations of the noise, separated by commas.", valueName: "list"))
  var noiseLevels = "0,0.1,0.2,0.3,0.4"

  @Option(help: ArgumentHelp("Random seed of the noise. (default: 0)", valueName: "n"))
  var seed: UInt64?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func validate() throws {
    let isClean = try levels().allSatisfy { $0 == 0 }
    try refuse(withoutEffect("without noise", when: isClean, ["--seed": seed]))
  }

  private func levels() throws -> [Double] {
    try noiseLevels.split(separator: ",").map { part in
      guard let value = Double(part.trimmingCharacters(in: .whitespaces)), value >= 0, value.isFinite else {
        throw ValidationError("--noise-levels takes non-negative numbers separated by commas, not '\(part)'")
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
      for: folder, chunkSize: sizes.chunkSize, sequenceChunks: 256, vocabularySize: sizes.vocabularySize,
      special: sizes.special
    ) { text, _ in try model.evaluate(on: text, sequences: self.text.numSequences, noise: try levels(), seed: seed ?? 0)
    }
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

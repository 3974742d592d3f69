import ArgumentParser
import CALM
import Foundation
import Torch
import Training

/// `calm train calm`.
struct TrainLanguageModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm",
    abstract: "Train a continuous autoregressive language model on an autoencoder's latents.",
    discussion: """
      Chunk and latent size are the autoencoder's, which stays as it is. The auxiliary token loss, beyond the paper, \
      trains the Transformer faster and is not part of the finished model; --auxiliary-weight 0 leaves it out.

      Example:
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/calm
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/flow --head flow
        calm train calm --resume runs/calm --steps 20000
      """)

  @OptionGroup var training: TrainingOptions

  @Option(help: ArgumentHelp("The trained autoencoder's folder.", valueName: "folder"))
  var autoencoder: String?

  @OptionGroup var sizes: TransformerOptions

  @Option(
    help: "What the Transformer reads of each chunk: its tokens, or the autoencoder's latents of them, or both.")
  var input = ModelInput.tokens

  @Option(help: "The generative head: energy takes one step, diffusion 100, flow 20.")
  var head = HeadKind.energy

  @Option(help: ArgumentHelp("Blocks of the generative head.", valueName: "n"))
  var headBlocks = 2

  @Option(help: ArgumentHelp("The size of the energy head's noise.", valueName: "n"))
  var noiseSize = 64

  @Option(
    help: ArgumentHelp(
      "The bound of a latent's entries in the diffusion head's sampling; 0 for none, as in the official code.",
      valueName: "b"))
  var latentBound = 16.0

  @Option(
    help: ArgumentHelp(
      "Model samples a position in the energy score; with the other heads, target samples a position.", valueName: "n"))
  var samples = 8

  @Option(help: ArgumentHelp("Target samples a position in the energy score.", valueName: "n"))
  var targetSamples = 100

  @Option(
    help: ArgumentHelp(
      "The exponent of the energy score, above 0 and at most 2, where only means count.", valueName: "b"))
  var beta = 1.0

  @Option(help: ArgumentHelp("The weight of the auxiliary token loss; 0 is the paper.", valueName: "w"))
  var auxiliaryWeight = 1.0

  func validate() throws {
    for (name, value) in [
      ("--head-blocks", headBlocks), ("--noise-size", noiseSize), ("--target-samples", targetSamples),
    ] { try positive(name, value) }
    _ = try sizes.shape()
    guard samples >= 2 else { throw ValidationError("--samples must be 2 or more, not \(samples)") }
    guard beta > 0, beta <= 2 else { throw ValidationError("--beta must be above 0 and at most 2, not \(beta)") }
    guard latentBound >= 0, latentBound.isFinite else {
      throw ValidationError("--latent-bound must not be negative, not \(latentBound)")
    }
    guard auxiliaryWeight >= 0, auxiliaryWeight.isFinite else {
      throw ValidationError("--auxiliary-weight must not be negative, not \(auxiliaryWeight)")
    }
    if training.resume == nil && autoencoder == nil {
      throw ValidationError("name the trained autoencoder with --autoencoder")
    }
  }

  func run() throws {
    let compute = try training.compute.prepare()
    let run: TrainingRun
    if let folder = training.resume {
      run = try TrainingRun(resuming: URL(fileURLWithPath: folder), steps: training.steps)
    } else {
      let usual = TrainingSettings(
        steps: 5000, batchSize: 16, blockChunks: 64,
        schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
      let (data, folder) = (training.data ?? "", autoencoder ?? "")
      let sizes = try ModelFolder(URL(fileURLWithPath: folder)).autoencoderConfiguration()
      let record = RunRecord(
        model: .languageModel(try configuration(for: try TrainingData(path: data), sizes), autoencoder: folder),
        data: data, settings: training.settings(usual, precision: compute), device: compute.device,
        program: "calm \(Calm.version)")
      run = try TrainingRun(record, in: URL(fileURLWithPath: training.output ?? ""))
    }
    try train(run, label: "calm", compute: compute, report: training.report)
  }

  private func configuration(
    for data: TrainingData, _ autoencoder: AutoencoderConfiguration
  ) throws -> LanguageModelConfiguration {
    var configuration = LanguageModelConfiguration(
      vocabularySize: autoencoder.vocabularySize, chunkSize: autoencoder.chunkSize, latentSize: autoencoder.latentSize,
      head: head, headBlocks: headBlocks, auxiliaryLossWeight: auxiliaryWeight, special: data.special)
    configuration.transformer = try sizes.shape()
    configuration.input = input
    configuration.noiseSize = noiseSize
    configuration.latentBound = latentBound > 0 ? latentBound : nil
    configuration.samples = samples
    configuration.targetSamples = targetSamples
    configuration.exponent = beta
    return configuration
  }
}

extension ModelInput: ExpressibleByArgument {}
extension HeadKind: ExpressibleByArgument {}

import ArgumentParser
import CALM
import Foundation
import Torch
import Training

/// `calm train autoencoder`.
struct TrainAutoencoder: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "autoencoder",
    abstract: "Train the autoencoder that turns K tokens into one vector.",
    discussion: """
      Look at its accuracy with noise on the latent ('calm eval autoencoder'): at 0.3 it should be above 99 % before a \
      language model is trained on top of it. The paper's ablations are settings: --plain is reconstruction alone; \
      --kl-weight, --kl-clamp, --token-masking and --latent-dropout of 0 leave out the Kullback-Leibler term, its \
      clipping, and each kind of noise.

      Example:
        calm train autoencoder --data data --out runs/autoencoder --latent 64 --hidden 256
        calm train autoencoder --resume runs/autoencoder
      """)

  @OptionGroup var training: TrainingOptions

  @Option(help: ArgumentHelp("K, the tokens in a chunk.", valueName: "n"))
  var chunk = 4

  @Option(help: ArgumentHelp("l, the size of the latent vector.", valueName: "n"))
  var latent = 64

  @Option(help: ArgumentHelp("The width of the layers.", valueName: "n"))
  var hidden = 256

  @Option(help: ArgumentHelp("The inner width of each layer; by default 2.5 times --hidden.", valueName: "n"))
  var intermediate: Int?

  @Option(help: ArgumentHelp("Layers of encoder and of decoder, an even number.", valueName: "n"))
  var layers = 2

  @Flag(help: "A plain autoencoder: no distribution, no noise, no dropout.")
  var plain = false

  @Option(help: ArgumentHelp("The probability of masking an input token in training.", valueName: "p"))
  var tokenMasking: Double?

  @Option(help: ArgumentHelp("The probability of dropping an entry of the latent in training.", valueName: "p"))
  var latentDropout: Double?

  @Option(help: ArgumentHelp("The weight of the Kullback-Leibler term; 0 leaves it out.", valueName: "w"))
  var klWeight: Double?

  @Option(
    help: ArgumentHelp(
      "Divergence of a dimension that is not pressed further, in nats; 0 clips nothing.", valueName: "c"))
  var klClamp: Double?

  func validate() throws {
    for (name, value) in [("--chunk", chunk), ("--latent", latent), ("--hidden", hidden)] { try positive(name, value) }
    try positive("--intermediate", intermediate)
    guard layers > 0, layers % 2 == 0 else {
      throw ValidationError(
        "--layers must be an even number above 0, not \(layers): half work on tokens, half on chunks")
    }
    for (name, value) in [("--token-masking", tokenMasking), ("--latent-dropout", latentDropout)] {
      if let value, !(0..<1).contains(value) {
        throw ValidationError("\(name) must be at least 0 and below 1, not \(value)")
      }
    }
    for (name, value) in [("--kl-weight", klWeight), ("--kl-clamp", klClamp)] {
      if let value, !(value >= 0 && value.isFinite) {
        throw ValidationError("\(name) must not be negative, not \(value)")
      }
    }
  }

  func run() throws {
    let compute = try training.compute.prepare()
    let run: TrainingRun
    if let folder = training.resume {
      run = try TrainingRun(resuming: URL(fileURLWithPath: folder), steps: training.steps)
    } else {
      let usual = TrainingSettings(
        steps: 2000, batchSize: 8, blockChunks: 64,
        schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
      let data = training.data ?? ""
      let record = RunRecord(
        model: .autoencoder(configuration(for: try TrainingData(path: data))), data: data,
        settings: training.settings(usual, precision: compute), device: compute.device,
        program: "calm \(Calm.version)")
      run = try TrainingRun(record, in: URL(fileURLWithPath: training.output ?? ""))
    }
    try train(run, label: "autoencoder", compute: compute, report: training.report)
  }

  private func configuration(for data: TrainingData) -> AutoencoderConfiguration {
    var configuration = AutoencoderConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: chunk, latentSize: latent, hiddenSize: hidden,
      intermediateSize: intermediate, encoderLayers: layers, decoderLayers: layers, isVariational: !plain,
      special: data.special)
    if let tokenMasking { configuration.tokenMasking = tokenMasking }
    if let latentDropout { configuration.latentDropout = latentDropout }
    if let klWeight { configuration.klWeight = klWeight }
    if let klClamp { configuration.klClamp = klClamp }
    return configuration
  }
}

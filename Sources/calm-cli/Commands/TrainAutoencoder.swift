import ArgumentParser
import CALM
import CALMTerminal
import CALMTraining
import Foundation
import Torch

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
        calm train autoencoder --data more --init-from runs/autoencoder/model --out runs/second
        calm train autoencoder --resume runs/autoencoder
      """)

  @OptionGroup var training: TrainingOptions

  @Option(count: "K, the tokens in a chunk; by default 4.")
  var chunk: Int?

  @Option(count: "l, the size of the latent vector; by default 64.")
  var latent: Int?

  @Option(count: "The width of the layers; by default 256.")
  var hidden: Int?

  @Option(count: "The inner width of each layer; by default 2.5 times --hidden.")
  var intermediate: Int?

  @Option(count: "Layers of encoder and of decoder, an even number; by default 2.", from: 2)
  var layers: Int?

  @Flag(
    inversion: .prefixedNo, help: "A plain autoencoder: no distribution, no noise, no dropout; by default variational.")
  var plain: Bool?

  @Option(
    help: ArgumentHelp("The probability of masking an input token in training.", valueName: "p"), transform: probability
  )
  var tokenMasking: Double?

  @Option(
    help: ArgumentHelp("The probability of dropping an entry of the latent in training.", valueName: "p"),
    transform: probability)
  var latentDropout: Double?

  @Option(
    help: ArgumentHelp("The weight of the Kullback-Leibler term; 0 leaves it out.", valueName: "w"), transform: amount)
  var klWeight: Double?

  @Option(
    help: ArgumentHelp(
      "Divergence of a dimension that is not pressed further, in nats; 0 clips nothing.", valueName: "c"),
    transform: amount)
  var klClamp: Double?

  private static let usual = TrainingSettings(
    steps: 2000, batchSize: 8, sequenceChunks: 64, schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
  private static let figures = ["accuracy_noise_0.3", "accuracy"]

  func validate() throws {
    var problems: [String] = []
    if let layers, layers % 2 != 0 {
      problems.append("--layers must be an even number above 0, not \(layers): half work on tokens, half on chunks")
    }
    problems += withoutEffect(
      "on an autoencoder, which has no Transformer",
      ["--gradient-checkpointing": training.gradientCheckpointing.ifGiven])
    if training.initFrom == nil { problems += settingsOfDistribution(isVariational: plain != true) }
    try training.check(usual: Self.usual, figures: Self.figures, others: problems)
  }

  /// Settings that have no effect on a plain autoencoder.
  private func settingsOfDistribution(isVariational: Bool) -> [String] {
    withoutEffect(
      "on a plain autoencoder", when: !isVariational, ["--kl-weight": klWeight, "--kl-clamp": klClamp])
  }

  func run() throws {
    try train(training, label: "autoencoder", usual: Self.usual, figures: Self.figures) { data in
      .autoencoder(try training.initFrom.map(configuration(of:)) ?? configuration(for: TrainingData(path: data)))
    }
  }

  private func configuration(for data: TrainingData) -> AutoencoderConfiguration {
    let configuration = AutoencoderConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: chunk ?? 4, latentSize: latent ?? 64,
      hiddenSize: hidden ?? 256, intermediateSize: intermediate, encoderLayers: layers ?? 2,
      decoderLayers: layers ?? 2, isVariational: plain != true, special: data.special)
    return withTrainingConstants(configuration)
  }

  /// That of the model to begin with.
  private func configuration(of folder: String) throws -> AutoencoderConfiguration {
    let configuration = try ModelFolder(URL(fileURLWithPath: folder)).autoencoderConfiguration()
    try training.agree([
      ("--chunk", chunk, configuration.chunkSize), ("--latent", latent, configuration.latentSize),
      ("--hidden", hidden, configuration.hiddenSize), ("--intermediate", intermediate, configuration.intermediateSize),
      ("--layers", layers, configuration.encoderLayers), ("--layers", layers, configuration.decoderLayers),
    ])
    try training.agree("--plain", plain, !configuration.isVariational)
    try refuse(settingsOfDistribution(isVariational: configuration.isVariational))
    return withTrainingConstants(configuration)
  }

  private func withTrainingConstants(_ given: AutoencoderConfiguration) -> AutoencoderConfiguration {
    var configuration = given
    if let tokenMasking { configuration.tokenMasking = tokenMasking }
    if let latentDropout { configuration.latentDropout = latentDropout }
    if let klWeight { configuration.klWeight = klWeight }
    if let klClamp { configuration.klClamp = klClamp }
    return configuration
  }
}

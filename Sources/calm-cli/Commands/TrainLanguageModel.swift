import ArgumentParser
import CALM
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// `calm train calm`.
struct TrainLanguageModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm",
    abstract: "Train a continuous autoregressive language model on an autoencoder's latents.",
    discussion: """
      Chunk and latent size are the autoencoder's, which stays as it is. The auxiliary token loss, beyond the paper, \
      trains the Transformer faster and is not part of the finished model; --auxiliary-weight 0 leaves it out. \
      --lead-in 2000 begins with 2,000 steps of it alone, at half the cost of a whole step, before the head joins.

      Example:
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/calm
        calm train calm --data data --autoencoder runs/autoencoder/model --out runs/flow --head flow
        calm train calm --data data --autoencoder official/ae --out runs/m --preset calm-m --auxiliary-weight 0
        calm train calm --data more --init-from runs/calm/model --out runs/second
        calm train calm --resume runs/calm --steps 20000
      """)

  @OptionGroup var training: TrainingOptions

  @Option(
    help: ArgumentHelp(
      "The trained autoencoder's folder; with --init-from by default that model's.", valueName: "folder")
  )
  var autoencoder: String?

  @OptionGroup var sizes: TransformerOptions

  @Option(
    help:
      "What the Transformer reads of each chunk: its tokens (by default), or the autoencoder's latents of them, or both."
  )
  var input: ModelInput?

  @Option(help: "The generative head: energy (by default) takes one step, diffusion 100, flow 20.")
  var head: HeadKind?

  @Option(count: "Blocks of the generative head; by default 2.")
  var headBlocks: Int?

  @Option(count: "The size of the energy head's noise; by default 64.")
  var noiseSize: Int?

  @Option(
    help: ArgumentHelp(
      "The bound of a latent's entries in the diffusion head's sampling; 0 for none, as in the official code; by "
        + "default 16.",
      valueName: "b"), transform: amount)
  var latentBound: Double?

  @Option(
    count: "Model samples a position in the energy score; with the other heads, target samples a position.", from: 2)
  var samples = 8

  @Option(count: "Target samples a position in the energy score.")
  var targetSamples = 100

  @Option(
    help: ArgumentHelp(
      "The exponent of the energy score, above 0 and at most 2, where only means count.", valueName: "b"),
    transform: number("above 0 and at most 2") { $0 > 0 && $0 <= 2 })
  var beta = 1.0

  @Option(
    help: ArgumentHelp("The weight of the auxiliary token loss; 0 is the paper.", valueName: "w"), transform: amount)
  var auxiliaryWeight = 1.0

  @Option(
    help: ArgumentHelp("Steps at the beginning that train on the auxiliary token loss alone.", valueName: "steps"),
    transform: whole(from: 0))
  var auxiliaryWarmupSteps = 0

  private static let usual = TrainingSettings(
    steps: 5000, batchSize: 16, sequenceChunks: 64, schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
  private static let figures = ["energy_score", "brier_lm"]

  func validate() throws {
    var problems: [String] = []
    if training.resume == nil && training.initFrom == nil && autoencoder == nil {
      problems.append("name the trained autoencoder with --autoencoder")
    }
    do {
      let preset = try sizes.preset(as: \.continuous, beginsWith: training.initFrom)
      if training.initFrom == nil { _ = try sizes.shape(usual: preset?.transformer) }
    } catch {
      problems.append("\(error)")
    }
    if training.initFrom == nil { problems += settingsOfOtherHeads(than: head ?? .energy) }
    if auxiliaryWarmupSteps > 0 && auxiliaryWeight == 0 {
      problems.append("--lead-in needs the auxiliary token loss, which --auxiliary-weight 0 leaves out")
    }
    try training.check(
      usual: Self.usual, figures: Self.figures, auxiliaryWarmupSteps: auxiliaryWarmupSteps, others: problems)
  }

  /// Settings that have no effect with a head. The energy score's are not among them: whatever the head, they decide the
  /// held-out figure `energy_score`.
  private func settingsOfOtherHeads(than head: HeadKind) -> [String] {
    withoutEffect("with --head \(head)", when: head != .energy, ["--noise-size": noiseSize])
      + withoutEffect("with --head \(head)", when: head != .diffusion, ["--latent-bound": latentBound])
  }

  func run() throws {
    try train(training, label: "calm", usual: Self.usual, figures: Self.figures) { data in
      let folder = autoencoder ?? training.initFrom ?? ""
      let configuration =
        try training.initFrom.map(configuration(of:))
        ?? configuration(
          for: TrainingData(path: data), ModelFolder(URL(fileURLWithPath: folder)).autoencoderConfiguration())
      return .languageModel(configuration, autoencoder: folder, auxiliaryWarmupSteps: auxiliaryWarmupSteps)
    }
  }

  private func configuration(
    for data: TrainingData, _ autoencoder: AutoencoderConfiguration
  ) throws -> LanguageModelConfiguration {
    let preset = try sizes.preset(as: \.continuous, beginsWith: nil)
    var configuration = LanguageModelConfiguration(
      vocabularySize: autoencoder.vocabularySize, chunkSize: autoencoder.chunkSize, latentSize: autoencoder.latentSize,
      head: head ?? .energy, headBlocks: headBlocks ?? preset?.headBlocks ?? 2, special: data.special)
    configuration.transformer = try sizes.shape(usual: preset?.transformer)
    configuration.input = input ?? .tokens
    configuration.noiseSize = noiseSize ?? 64
    return withTrainingConstants(configuration)
  }

  /// That of the model to begin with.
  private func configuration(of folder: String) throws -> LanguageModelConfiguration {
    var configuration = try ModelFolder(URL(fileURLWithPath: folder)).languageModelConfiguration()
    try training.agree("--head", head, configuration.head)
    try refuse(settingsOfOtherHeads(than: configuration.head))
    try training.agree("--input", input, configuration.input)
    try training.agree("--separate-documents", sizes.separateDocuments, configuration.transformer.separatesDocuments)
    try training.agree(
      sizes.beside(configuration.transformer) + [
        ("--head-blocks", headBlocks, configuration.headBlocks), ("--noise-size", noiseSize, configuration.noiseSize),
      ])
    configuration.hasDocumentEnds = true
    return withTrainingConstants(configuration)
  }

  private func withTrainingConstants(_ given: LanguageModelConfiguration) -> LanguageModelConfiguration {
    var configuration = given
    if let latentBound { configuration.latentBound = latentBound > 0 ? latentBound : nil }
    configuration.auxiliaryLossWeight = auxiliaryWeight
    configuration.samples = samples
    configuration.targetSamples = targetSamples
    configuration.exponent = beta
    return configuration
  }
}

extension ModelInput: ExpressibleByArgument {}
extension HeadKind: ExpressibleByArgument {}

import CALM
import CALMTraining

/// The sizes of a demo: those of the text, the models and their training.
public struct DemoRecipe: Sendable {
  /// The time for all stages together, from which the steps of the training runs follow. Nil takes the steps below.
  public var duration: Duration?
  /// The time of the evaluation, in training steps of the model.
  private(set) var evaluationSteps = 30
  /// The fraction of the time that is left for samples.
  private(set) var samplesShare = 0.03
  /// Bytes of synthetic stories.
  public var corpusBytes = 6_000_000
  /// Tokens in the vocabulary.
  public var vocabularySize = 1024
  /// The fraction of documents held out for validation.
  public var validationFraction = 0.03
  /// Tokens of a chunk, K.
  public var chunkSize = 4
  /// The generative head. For the energy head, the demo trains an autoencoder first.
  public let head: HeadKind
  /// Numbers of the autoencoder's latent.
  public var latentSize = 32
  /// Numbers for each token of the vector that a distilled head reads.
  public var embeddingSize = 16
  /// The fraction of the time in which the autoencoder is trained.
  private(set) var autoencoderShare = 0.05
  /// Width of the autoencoder.
  public var autoencoderHiddenSize = 128
  /// Training of the autoencoder.
  public var autoencoder = TrainingSettings(
    steps: 1200, batchSize: 8,
    schedule: LearningRateSchedule(peak: 3e-3, shape: .stableDecay))
  /// Width of the language model.
  public var hiddenSize = 256
  /// Layers of the language model.
  public var layers = 4
  /// Training of the language model.
  public var languageModel = TrainingSettings(
    steps: 6400, batchSize: 8,
    schedule: LearningRateSchedule(peak: 1e-3, shape: .stableDecay))
  /// The distillation of the head into one step.
  public var distillation = TrainingSettings(
    steps: 400, batchSize: 8, schedule: LearningRateSchedule(peak: 1e-3, shape: .stableDecay))
  /// The fraction of the time in which the head is distilled.
  private(set) var distillationShare = 0.18
  /// The weight of the auxiliary token loss.
  public var auxiliaryLossWeight: Double
  /// Steps at the start that train on the auxiliary token loss alone, if it has a weight.
  public private(set) var auxiliaryWarmupSteps = 0
  /// N of the energy score: fewer than the paper's 8, for more steps in the same time.
  public var energySamples = 4
  /// M of the energy score: fewer than the paper's 100.
  public var targetSamples = 32
  /// Chunks of a held-out sequence.
  public var evaluationChunks = 256
  /// Held-out sequences on which the language model is evaluated.
  public var evaluationSequences = 64
  /// Texts to generate at the end.
  public var generatedTexts = 100
  /// Maximum tokens of a generated text.
  public var maximumNewTokens = 200
  /// The temperature of the generated texts.
  public var temperature = "1/3"

  private init(_ head: HeadKind) {
    self.head = head
    auxiliaryLossWeight = LanguageModelSettings.usualAuxiliaryWeight(of: head)
  }

  /// The recipe for synthetic stories: minutes on two cores.
  public static func stories(head: HeadKind = .tokens) -> DemoRecipe {
    var recipe = DemoRecipe(head)
    // The paper's loss.
    if head == .energy { recipe.auxiliaryLossWeight = 0 }
    return recipe
  }

  /// The recipe for other text, which has more words.
  public static func text(head: HeadKind = .tokens) -> DemoRecipe {
    var recipe = DemoRecipe(head)
    recipe.vocabularySize = 2048
    recipe.latentSize = 64
    recipe.generatedTexts = 4
    recipe.temperature = "1/2"
    recipe.samplesShare = 0.02
    if head == .tokens { recipe.languageModel.schedule.peak = 3e-3 }
    // With the energy head, words emerge earlier after a warm-up.
    if head == .energy { recipe.auxiliaryWarmupSteps = 1400 }
    return recipe
  }

  /// A recipe of less than a minute. It shows that everything works; its texts are not yet language.
  public func quick() -> DemoRecipe {
    var recipe = self
    recipe.corpusBytes = 600_000
    recipe.autoencoder.steps = 150
    recipe.languageModel.steps = 60
    recipe.distillation.steps = 20
    recipe.auxiliaryWarmupSteps = min(20, auxiliaryWarmupSteps)
    recipe.generatedTexts = 8
    return recipe
  }

  /// The stages, in order.
  public var stages: [DemoStage] {
    DemoStage.allCases.filter { stage in
      switch stage {
      case .autoencoder: head.usesAutoencoder
      case .distillation: isDistilled
      default: true
      }
    }
  }

  /// Whether the language model is distilled at the end. Otherwise a posterior head samples in several steps. The
  /// student of a tokens head would write worse than its teacher.
  var isDistilled: Bool { head == .posterior }

  /// The folder of the final model in that of the demo.
  public var modelFolder: String { isDistilled ? "student/model" : "lm/model" }

  func autoencoderConfiguration(for data: TrainingData) -> AutoencoderConfiguration {
    AutoencoderConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: chunkSize, latentSize: latentSize,
      hiddenSize: autoencoderHiddenSize, special: data.special)
  }

  func languageModelConfiguration(for data: TrainingData) -> LanguageModelConfiguration {
    var configuration = LanguageModelConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: chunkSize,
      latentSize: head.usesAutoencoder ? latentSize : embeddingSize * chunkSize, hiddenSize: hiddenSize, layers: layers,
      attentionHeads: hiddenSize / 32, head: head, headBlocks: 2, auxiliaryLossWeight: auxiliaryLossWeight,
      special: data.special)
    configuration.documentMasking = true
    configuration.samples = energySamples
    configuration.targetSamples = targetSamples
    return configuration
  }
}

import CALM
import CALMTerminal
import CALMTraining
import Torch

/// The sizes and lengths of a demo: what goes from text to stories in minutes on two cores.
struct DemoRecipe {
  /// Bytes of tales.
  var corpusBytes = 6_000_000
  /// Entries of the tokenizer.
  var vocabulary = 1024
  /// The share of documents set apart.
  var validation = 0.03
  var autoencoder = TrainingSettings(
    steps: 1200, batchSize: 8,
    schedule: LearningRateSchedule(peak: 3e-3, shape: .stableDecay))
  var latentSize = 32
  var autoencoderHidden = 128
  var languageModel = TrainingSettings(
    steps: 6400, batchSize: 8,
    schedule: LearningRateSchedule(peak: 1e-3, shape: .stableDecay))
  /// The weight of the auxiliary token loss. The tales come out better without it, as in the paper.
  private(set) var auxiliaryLossWeight = 0.0
  /// Steps of the language model's training on the auxiliary token loss alone, where it is in use.
  private(set) var auxiliaryWarmupSteps = 0
  /// N and M of the energy score: fewer than the paper's 8 and 100, for more steps in the same time.
  var (samples, targetSamples) = (4, 32)
  var hidden = 256
  var layers = 4
  /// Stories written at the end, to be judged.
  var stories = 100
  /// The temperature they are written at.
  var temperature = "1/3"

  /// For the built-in tales.
  static let tales = DemoRecipe()

  /// For anybody's text: more words, so a larger vocabulary and latent, and the auxiliary loss, with which words come
  /// sooner.
  static let text: DemoRecipe = {
    var recipe = DemoRecipe().with(auxiliaryLossWeight: 1)
    recipe.vocabulary = 2048
    recipe.latentSize = 64
    recipe.stories = 4
    recipe.temperature = "1/2"
    return recipe
  }()

  /// The same with another weight of the auxiliary loss, and where there is one, a lead-in.
  func with(auxiliaryLossWeight weight: Double) -> DemoRecipe {
    var recipe = self
    (recipe.auxiliaryLossWeight, recipe.auxiliaryWarmupSteps) = (weight, weight > 0 ? 1400 : 0)
    return recipe
  }

  /// The whole way in under a minute: what it writes is not yet language.
  func quick() -> DemoRecipe {
    var recipe = self
    recipe.corpusBytes = 600_000
    recipe.autoencoder.steps = 150
    recipe.languageModel.steps = 60
    recipe.auxiliaryWarmupSteps = min(20, auxiliaryWarmupSteps)
    recipe.stories = 8
    return recipe
  }

  func autoencoderConfiguration(for data: TrainingData) -> AutoencoderConfiguration {
    AutoencoderConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: 4, latentSize: latentSize,
      hiddenSize: autoencoderHidden, special: data.special)
  }

  func languageModelConfiguration(for data: TrainingData) -> LanguageModelConfiguration {
    var configuration = LanguageModelConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, chunkSize: 4, latentSize: latentSize, hiddenSize: hidden,
      layers: layers, attentionHeads: hidden / 32, headBlocks: 2, auxiliaryLossWeight: auxiliaryLossWeight,
      special: data.special)
    configuration.separatesDocuments = true
    configuration.samples = samples
    configuration.targetSamples = targetSamples
    return configuration
  }
}

import ArgumentParser
import CALM
import CALMTerminal

/// The sizes of a model and of its work.
struct BenchShape: Codable, Hashable {
  var vocabulary: Int
  var chunk: Int
  var autoencoderHidden: Int
  var autoencoderIntermediate: Int
  var latent: Int
  var hidden: Int
  var intermediate: Int
  var layers: Int
  var heads: Int
  var headBlocks = 2
  /// Sequences per training step or evaluation.
  var sequences: Int
  /// Tokens per sequence.
  var tokens: Int

  /// Shapes by name.
  enum Name: String, ExpressibleByArgument, CaseIterable, Codable {
    /// A training step takes about a second on two cores.
    case small
    /// The paper's vocabulary, so softmax and argmax over it dominate.
    case wide
    /// The paper's CALM-M, for an accelerator.
    case calmM = "calm-m"

    var shape: BenchShape {
      switch self {
      case .small:
        BenchShape(
          vocabulary: 8192, chunk: 4, autoencoderHidden: 256, autoencoderIntermediate: 640, latent: 64, hidden: 384,
          intermediate: 1024, layers: 8, heads: 6, sequences: 4, tokens: 1024)
      case .wide:
        BenchShape(
          vocabulary: 128_256, chunk: 4, autoencoderHidden: 512, autoencoderIntermediate: 1280, latent: 128,
          hidden: 384,
          intermediate: 1024, layers: 4, heads: 6, sequences: 2, tokens: 512)
      case .calmM:
        BenchShape(
          vocabulary: 128_257, chunk: 4, autoencoderHidden: 512, autoencoderIntermediate: 1280, latent: 128,
          hidden: 1024,
          intermediate: 2752, layers: 16, heads: 16, headBlocks: 4, sequences: 4, tokens: 8192)
      }
    }
  }

  /// The configuration has no end-of-text token, so every sequence is generated to its full length.
  func languageModel(_ job: BenchJob) -> LanguageModelConfiguration {
    var model = LanguageModelConfiguration(
      vocabularySize: vocabulary, chunkSize: chunk, latentSize: latent, hiddenSize: hidden,
      intermediateSize: intermediate, layers: layers, attentionHeads: heads, head: job.head,
      headBlocks: headBlocks, special: SpecialTokens(padding: 0))
    model.maximumPositions = tokens / chunk
    model.isOneStep = job == .generateOneStep
    return model
  }

  /// The Transformer baseline, with the same width and layers.
  var transformer: AutoregressiveConfiguration {
    var shape = TransformerShape(
      hiddenSize: hidden, intermediateSize: intermediate, layers: layers, attentionHeads: heads, keyValueHeads: nil)
    shape.maximumPositions = tokens
    return AutoregressiveConfiguration(
      vocabularySize: vocabulary, transformer: shape, special: SpecialTokens(padding: 0))
  }

  var autoencoder: AutoencoderConfiguration {
    AutoencoderConfiguration(
      vocabularySize: vocabulary, chunkSize: chunk, latentSize: latent, hiddenSize: autoencoderHidden,
      intermediateSize: autoencoderIntermediate, special: SpecialTokens(padding: 0))
  }
}

import Torch

/// The Llama Transformer: vectors in, hidden states out. Each position sees itself and those before it.
package final class Backbone: Module {
  @Submodule("embed_tokens") package var embedding: Embedding
  @Submodule("layers") var layers: [TransformerLayer]
  @Submodule("norm") var norm: RMSNorm
  private let angles: RotaryAngles

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    angles = RotaryAngles(
      headSize: configuration.headSize, theta: configuration.ropeTheta, stretch: configuration.ropeStretch)
    embedding = Embedding(
      vocabulary: configuration.vocabularySize, size: configuration.hiddenSize,
      padding: configuration.special.padding, deviation: 1 / Double(configuration.hiddenSize).squareRoot(),
      generator: generator)
    layers = (0..<configuration.layers).map { _ in TransformerLayer(configuration, generator: generator) }
    norm = RMSNorm(configuration.hiddenSize, epsilon: configuration.normEpsilon, device: generator.device)
  }

  /// - Parameters:
  ///   - x: [batch, length, h].
  ///   - context: the positions before, to which these are added; nil where there are none to keep.
  /// - Returns: hidden states, [batch, length, h].
  func callAsFunction(_ x: Tensor, context: Context? = nil) -> Tensor {
    let angles = angles(from: context?.length ?? 0, count: x.shape[1], device: x.device)
    var x = x
    for (index, layer) in layers.enumerated() {
      x = layer(x, angles: angles, cache: context?.caches[index])
    }
    return norm(x)
  }

  /// What the backbone keeps of the positions it has seen, so that each is computed once.
  package final class Context {
    fileprivate let caches: [KeyValueCache]

    /// No positions yet.
    package init(layers: Int) {
      caches = (0..<layers).map { _ in KeyValueCache() }
    }

    /// The number of positions seen.
    var length: Int { caches.first?.length ?? 0 }
  }
}

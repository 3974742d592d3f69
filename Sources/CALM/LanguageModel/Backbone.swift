import Torch

/// The Llama Transformer: vectors in, hidden states out. Each position sees itself and those before it.
package final class Backbone: Module {
  @Submodule("embed_tokens") package var embedding: Embedding
  @Submodule("layers") var layers: [TransformerLayer]
  @Submodule("norm") var norm: RMSNorm
  private let angles: RotaryAngles
  /// Whether training keeps only what goes from layer to layer, and computes each layer again in the backward pass.
  package var recomputesLayers = false

  init(_ shape: TransformerShape, vocabularySize: Int, padding: Int?, generator: Generator) {
    angles = RotaryAngles(headSize: shape.headSize, theta: shape.ropeTheta, scaling: shape.ropeScaling)
    embedding = Embedding(
      vocabulary: vocabularySize, size: shape.hiddenSize, padding: padding,
      deviation: 1 / Double(shape.hiddenSize).squareRoot(), generator: generator)
    layers = (0..<shape.layers).map { _ in TransformerLayer(shape, generator: generator) }
    norm = RMSNorm(shape.hiddenSize, epsilon: shape.normEpsilon, device: generator.device)
  }

  /// - Parameters:
  ///   - x: [batch, length, h].
  ///   - first: the first position that each position sees, [batch, length], int64; nil where all see the beginning.
  ///   - context: the positions before, to which these are added; nil where there are none to keep.
  /// - Returns: hidden states, [batch, length, h].
  func callAsFunction(_ x: Tensor, from first: Tensor? = nil, context: Context? = nil) -> Tensor {
    if let first { context?.first = first }
    let angles = angles(from: context?.length ?? 0, count: x.shape[1], device: x.device)
    var x = x
    for (index, layer) in layers.enumerated() {
      x =
        recomputesLayers && context == nil
        ? recomputed(x) { layer($0, angles: angles, from: first, cache: nil) }
        : layer(x, angles: angles, from: first, cache: context?.caches[index])
    }
    return norm(x)
  }

  /// What the backbone keeps of the positions it has seen, so that each is computed once.
  package final class Context {
    fileprivate let caches: [any AttentionCache]
    /// The first position that each of the positions seen at once sees.
    fileprivate var first: Tensor?

    /// No positions yet.
    package init(layers: Int) {
      caches = (0..<layers).map { _ in KeyValueCache() }
    }

    fileprivate init(_ caches: [any AttentionCache]) {
      self.caches = caches
    }

    /// The number of the next position.
    var length: Int { caches.first?.length ?? 0 }

    /// Continuations that part behind each of the first positions seen. The backbone then takes one position of each at
    /// once, [1, count, h]; they see this sequence up to where they part, and not each other.
    package func branches(_ count: Int, device: Device) -> Context {
      let mask = BranchCache.mask(branches: count, from: first, device: device)
      return Context(
        caches.map { cache in
          guard let sequence = cache as? KeyValueCache else { preconditionFailure("branches do not branch") }
          return BranchCache(from: sequence, mask: mask)
        })
    }
  }
}

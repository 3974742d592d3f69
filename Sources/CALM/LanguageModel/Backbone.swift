import Torch

/// The Llama Transformer, which maps input vectors to hidden states. Each position sees itself and earlier positions.
package final class Backbone: Module {
  @Submodule("embed_tokens") package var embedding: Embedding
  @Submodule("layers") var layers: [TransformerLayer]
  @Submodule("norm") var norm: RMSNorm
  let angles: RotaryAngles
  /// Whether training stores only the inputs of the layers and recomputes each layer in the backward pass (gradient
  /// checkpointing).
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
  ///   - first: the first position that each position sees, [batch, length], int64; nil if all see the beginning.
  ///   - context: the earlier positions, to which these are appended; nil without a cache.
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

  /// The cached state of the positions seen so far, so that each is computed once.
  package final class Context {
    fileprivate let caches: [any AttentionCache]
    /// The first position that each of the positions read in one pass sees.
    fileprivate var first: Tensor?

    /// Creates a context without positions.
    ///
    /// - Parameter maximum: the maximum number of positions, for which memory is allocated as they are added.
    package init(layers: Int, maximum: Int = .max) {
      caches = (0..<layers).map { _ in KeyValueCache(maximum: maximum) }
    }

    fileprivate init(_ caches: [any AttentionCache]) {
      self.caches = caches
    }

    /// The index of the next position.
    package var length: Int { caches.first?.length ?? 0 }

    /// The keys and values of a layer.
    func keyValueCache(_ layer: Int) -> KeyValueCache {
      guard let cache = caches[layer] as? KeyValueCache else { preconditionFailure("a branch takes no other steps") }
      return cache
    }

    /// The keys and values of all layers.
    var keyValueCaches: [KeyValueCache] { caches.indices.map(keyValueCache) }

    /// Continuations that branch off after each of the first positions. The backbone then processes one position of
    /// each per pass, [1, count, h]; a continuation sees this sequence up to its branch point, and no other
    /// continuation.
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

/// The values that the forward pass of a training step keeps for the backward pass.
///
/// **Counting rule.** The tensors that the operations of this package save, each once: the inputs of linear layers and
/// norms, the inputs of activations and products, queries, keys, values and the result of attention with one float32
/// number per head (attention by blocks, as on GPUs, does not keep the weights). Values that live only within an
/// operation, and the logits, which are computed in pieces, do not count.
public struct ActivationCost: Hashable, Sendable {
  /// The Transformer layers; 0 if the model has none.
  public var layers = 0
  /// Values of one layer at one position, in the type of the computation.
  public var layerValues = 0
  /// Float32 values of one layer at one position.
  public var layerStatistics = 0
  /// Values of the input of one layer at one position: all that a recomputed layer keeps.
  public var layerInput = 0
  /// Values outside of the layers at one position, in the type of the computation.
  public var otherValues = 0
  /// Float32 values outside of the layers at one position.
  public var otherStatistics = 0
  /// Values that do not depend on the number of positions: the gradient of the vocabulary's matrix.
  public var constantValues = 0

  /// The bytes for a number of positions.
  ///
  /// - Parameters:
  ///   - positions: The positions computed at once.
  ///   - width: Bytes of a value in the type of the computation.
  ///   - recomputingLayers: Whether the backward pass recomputes each layer from its input, one layer at a time.
  public func bytes(positions: Int, width: Int, recomputingLayers: Bool) -> Int {
    let layer = layerValues * width + layerStatistics * 4
    let ofLayers = recomputingLayers ? layers * layerInput * width + min(layers, 1) * layer : layers * layer
    return positions * (ofLayers + otherValues * width + otherStatistics * 4) + constantValues * width
  }
}

extension TransformerShape {
  /// The activations of the layers and of the final norm.
  var activations: ActivationCost {
    var cost = ActivationCost()
    cost.layers = layers
    // Inputs of both norms, their results, query and result of attention: 6h. Keys and values. Gate, up and their
    // product.
    cost.layerValues = 6 * hiddenSize + 2 * headSize * keyValueHeads + 3 * intermediateSize
    cost.layerStatistics = 2 + attentionHeads
    cost.layerInput = hiddenSize
    (cost.otherValues, cost.otherStatistics) = (hiddenSize, 1)
    return cost
  }
}

extension Preset.Model {
  /// The activations of training this model; a position is a chunk, or a token of an autoregressive model.
  public var activations: ActivationCost {
    switch self {
    case .autoregressive(let model):
      var cost = model.transformer.activations
      // The loss keeps the gradients of its inputs.
      cost.otherValues += model.transformer.hiddenSize
      cost.constantValues = model.vocabularySize * model.transformer.hiddenSize
      return cost
    case .continuous(let model, _): return model.activations
    case .autoencoder(let model): return model.activations
    }
  }
}

extension LanguageModelConfiguration {
  fileprivate var activations: ActivationCost {
    let (h, k) = (transformer.hiddenSize, chunkSize)
    var cost = transformer.activations
    if input.hasTokens {
      // The embeddings, input and result of SiLU, input of the norm and its mean and deviation.
      cost.otherValues += k * h + 2 * 2 * h + h
      cost.otherStatistics += 2
    }
    if input.hasLatents {
      cost.otherValues += latentSize + h
      cost.otherStatistics += 2
    }
    cost.otherValues += head.type.cost(of: self).activations
    // The energy score keeps its gradient for each sample.
    cost.otherStatistics += samples * latentSize
    if auxiliaryLossWeight > 0 {
      cost.otherValues += h + k * h
      cost.constantValues = vocabularySize * h
    }
    return cost
  }
}

extension AutoencoderConfiguration {
  fileprivate var activations: ActivationCost {
    let (h, k) = (hiddenSize, chunkSize)
    // Half of the layers run at each of the K tokens, half at the chunk.
    let layerRuns = (encoderLayers / 2 + decoderLayers / 2) * (k + 1)
    var cost = ActivationCost()
    cost.otherValues =
      layerRuns * (2 * h + 3 * intermediateSize) + k * h + 2 * h  // encoder: squeeze, norm and its result
      + latentSize + h + k * h + k * h  // decoder: latent, expand, norm, gradient of the loss
    cost.otherStatistics = layerRuns + 1 + k + 4 * latentSize
    cost.constantValues = vocabularySize * h
    return cost
  }
}

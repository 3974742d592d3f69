/// The values that a training step stores in the forward pass for the backward pass.
///
/// **Counting rule.** Each tensor that an operation of this package saves counts once: the inputs of linear layers and
/// norms, the inputs of activations and products, and for attention the queries, keys, values and result with one
/// float32 number per head (attention by blocks, as on GPUs, does not store the weights). Values that exist only within
/// an operation do not count, nor do the logits, which are computed in pieces.
public struct ActivationCost: Hashable, Sendable {
  /// The number of Transformer layers; 0 if the model has none.
  public var layers = 0
  /// Values per layer and position, in the compute type.
  public var layerValues = 0
  /// Float32 values per layer and position.
  public var layerStatistics = 0
  /// Values of the input per layer and position, which is all that a recomputed layer stores.
  public var layerInput = 0
  /// Values outside of the layers per position, in the compute type.
  public var otherValues = 0
  /// Float32 values outside of the layers per position.
  public var otherStatistics = 0
  /// Values that do not depend on the number of positions: the gradient of the vocabulary matrix.
  public var constantValues = 0

  /// The bytes for a number of positions.
  ///
  /// - Parameters:
  ///   - positions: The positions computed at once.
  ///   - width: Bytes per value in the compute type.
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
    // 6h for the inputs and results of both norms, the query and the result of attention. Then keys and values, and
    // gate, up and their product.
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
      // The loss stores the gradients of its inputs.
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
      // The embeddings, the input and result of SiLU, and the norm's input, mean and deviation.
      cost.otherValues += k * h + 2 * 2 * h + h
      cost.otherStatistics += 2
    }
    if input.hasLatents {
      cost.otherValues += latentSize + h
      cost.otherStatistics += 2
    }
    cost.otherValues += head.type.cost(of: self).activations
    // The energy score stores its gradient for each sample.
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
    // Half of the layers run once per token, half once per chunk.
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

extension LanguageModelConfiguration {
  /// The sizes of the Transformer in the middle.
  public var transformer: TransformerShape {
    TransformerShape(
      hiddenSize: hiddenSize, intermediateSize: intermediateSize, layers: layers, attentionHeads: attentionHeads,
      keyValueHeads: keyValueHeads, positions: maximumPositions)
  }

  /// What a ``ContinuousLanguageModel`` with this configuration costs, together with its frozen autoencoder.
  public func cost(autoencoder: AutoencoderConfiguration) -> ModelCost {
    let (h, k, transformer) = (hiddenSize, chunkSize, transformer)
    var builder = CostBuilder(tokensPerPosition: k)
    builder.add("token embedding", parameters: vocabularySize * h, multiplications: 0)
    builder.add(
      "input compression", parameters: (k * h * 2 * h + 2 * h) + (2 * h * h + h) + 2 * h,
      multiplications: k * h * 2 * h + 2 * h * h)
    builder.add(
      "Transformer layers", parameters: transformer.parameters + biases, multiplications: transformer.weights)
    builder.add("attention products", parameters: 0, multiplications: transformer.attentionProducts)
    builder.add(
      "energy head", parameters: headParameters, inferenceMultiplications: headProducts(samples: 1),
      trainingMultiplications: 3 * headProducts(samples: samples))
    if auxiliaryLossWeight > 0 {
      builder.add(
        "auxiliary token loss", parameters: h * k * h + k * h,
        multiplications: h * k * h + k * h * vocabularySize, inference: 0)
    }
    builder.add(
      "frozen autoencoder: encoder", parameters: autoencoder.embeddingParameters + autoencoder.encoderParameters,
      multiplications: autoencoder.encoderProducts, inference: 0, training: 1, isTrained: false)
    builder.add(
      "frozen autoencoder: decoder", parameters: autoencoder.decoderParameters,
      multiplications: autoencoder.decoderProducts + autoencoder.vocabularyProducts, training: 0, isTrained: false)
    return ModelCost(parts: builder.parts)
  }

  /// The biases in all layers of the Transformer, which the official models do not have.
  private var biases: Int {
    let attention = hasAttentionBias ? 2 * hiddenSize + 2 * headSize * keyValueHeads : 0
    return layers * (attention + (hasMLPBias ? 2 * intermediateSize + hiddenSize : 0))
  }

  private var headParameters: Int {
    let h = hiddenSize
    let block = 2 * h + (2 * h * h + h) + (h * h + h) + (2 * h * h + 2 * h) + (h * h + h)
    return (noiseSize * h + h) + (h * h + h) + 4 * h + headBlocks * block + 2 * h + (h * h + h)
      + (h * latentSize + latentSize)
  }

  /// Multiplications of the head for a position. Those with the hidden state are the same for all samples: h² at its
  /// entry and h² in each block.
  private func headProducts(samples: Int) -> Int {
    let h = hiddenSize
    let shared = (1 + headBlocks) * h * h
    let perSample = noiseSize * h + headBlocks * 5 * h * h + h * h + h * latentSize
    return shared + samples * perSample
  }
}

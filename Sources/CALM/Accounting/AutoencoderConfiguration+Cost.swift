extension AutoencoderConfiguration {
  /// The number of parameters of an ``Autoencoder`` with this configuration.
  public var parameterCount: Int { cost.parameters }

  /// The cost of an autoencoder. Inference means encoding and decoding.
  public var cost: ModelCost {
    var builder = CostBuilder(tokensPerPosition: chunkSize)
    builder.add("embedding, tied to the vocabulary", parameters: embeddingParameters, macs: 0)
    builder.add("encoder", parameters: encoderParameters, macs: encoderMACs)
    builder.add("decoder", parameters: decoderParameters, macs: decoderMACs)
    builder.add("softmax over the vocabulary", parameters: 0, macs: vocabularyMACs)
    return ModelCost(parts: builder.parts)
  }

  private var latentOutputs: Int { latentSize * (isVariational ? 2 : 1) }
  private var layerWeights: Int { 3 * hiddenSize * intermediateSize }
  private var layerBiases: Int { hasMLPBias ? 2 * intermediateSize + hiddenSize : 0 }
  private var chunkWidth: Int { chunkSize * hiddenSize }

  var embeddingParameters: Int { vocabularySize * hiddenSize }

  package var encoderParameters: Int {
    encoderLayers * (layerWeights + layerBiases + hiddenSize) + (chunkWidth * hiddenSize + hiddenSize) + hiddenSize
      + (hiddenSize * latentOutputs + latentOutputs)
  }

  var decoderParameters: Int {
    (latentSize * hiddenSize + hiddenSize) + decoderLayers * (layerWeights + layerBiases + hiddenSize)
      + (hiddenSize * chunkWidth + chunkWidth) + hiddenSize
  }

  /// MACs to encode a chunk. Half of the layers run once per token, half once per chunk.
  package var encoderMACs: Int {
    encoderLayers / 2 * (chunkSize + 1) * layerWeights + chunkWidth * hiddenSize + hiddenSize * latentOutputs
  }

  /// MACs to decode a chunk, up to the product with the vocabulary.
  var decoderMACs: Int {
    latentSize * hiddenSize + decoderLayers / 2 * (chunkSize + 1) * layerWeights + hiddenSize * chunkWidth
  }

  /// MACs of the product with the vocabulary for a chunk.
  var vocabularyMACs: Int { chunkSize * hiddenSize * vocabularySize }
}

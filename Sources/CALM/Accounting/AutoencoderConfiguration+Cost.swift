extension AutoencoderConfiguration {
  /// The number of parameters of an ``Autoencoder`` with this configuration, without making one.
  public var parameterCount: Int { cost.parameters }

  /// What an autoencoder costs. Running it means to encode and to decode.
  public var cost: ModelCost {
    var builder = CostBuilder(tokensPerPosition: chunkSize)
    builder.add("embedding, tied to the vocabulary", parameters: embeddingParameters, multiplications: 0)
    builder.add("encoder", parameters: encoderParameters, multiplications: encoderProducts)
    builder.add("decoder", parameters: decoderParameters, multiplications: decoderProducts)
    builder.add("softmax over the vocabulary", parameters: 0, multiplications: vocabularyProducts)
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

  /// Multiplications to encode a chunk. Half of the layers are on each of the K tokens, half on the chunk.
  package var encoderProducts: Int {
    encoderLayers / 2 * (chunkSize + 1) * layerWeights + chunkWidth * hiddenSize + hiddenSize * latentOutputs
  }

  /// Multiplications to decode a chunk, up to the product with the vocabulary.
  var decoderProducts: Int {
    latentSize * hiddenSize + decoderLayers / 2 * (chunkSize + 1) * layerWeights + hiddenSize * chunkWidth
  }

  /// Multiplications of the product with the vocabulary for a chunk.
  var vocabularyProducts: Int { chunkSize * hiddenSize * vocabularySize }
}

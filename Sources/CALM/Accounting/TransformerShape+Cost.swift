extension TransformerShape {
  /// The entries of the weight matrices of all layers; each is one MAC per position.
  var weights: Int {
    let keySize = headSize * keyValueHeads
    return layers * (2 * hiddenSize * hiddenSize + 2 * hiddenSize * keySize + 3 * hiddenSize * intermediateSize)
  }

  /// The parameters of all layers and of the final norm.
  var parameters: Int { weights + biases + (2 * layers + 1) * hiddenSize }

  /// The biases of all layers; the official models and Llama have none.
  private var biases: Int {
    let attention = hasAttentionBias ? 2 * hiddenSize + 2 * headSize * keyValueHeads : 0
    return layers * (attention + (hasMLPBias ? 2 * intermediateSize + hiddenSize : 0))
  }

  /// The MACs of a position with the keys and values of all positions of the context.
  var attentionMACs: Int { layers * 2 * maximumPositions * hiddenSize }
}

extension AutoregressiveConfiguration {
  /// The cost of an ``AutoregressiveModel`` with this configuration: one token per position, and a softmax over the
  /// vocabulary.
  public var cost: ModelCost {
    let table = vocabularySize * transformer.hiddenSize
    var builder = CostBuilder(tokensPerPosition: 1)
    builder.add("token embedding", parameters: table, macs: 0)
    builder.add("Transformer layers", parameters: transformer.parameters, macs: transformer.weights)
    builder.add("attention products", parameters: 0, macs: transformer.attentionMACs)
    builder.add("softmax over the vocabulary", parameters: tiesEmbeddings ? 0 : table, macs: table)
    return ModelCost(parts: builder.parts)
  }
}

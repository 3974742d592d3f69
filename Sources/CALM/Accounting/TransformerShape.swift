/// The sizes of a Llama Transformer, from which its parameters and products follow.
public struct TransformerShape: Hashable, Sendable {
  /// h, the width.
  public var hiddenSize: Int
  /// The inner width of the SwiGLU in each layer.
  public var intermediateSize: Int
  /// Layers.
  public var layers: Int
  /// Query heads.
  public var attentionHeads: Int
  /// Key and value heads.
  public var keyValueHeads: Int
  /// The positions that attention looks back on.
  public var positions: Int

  /// A shape, by default with as many key and value heads as query heads.
  public init(
    hiddenSize: Int, intermediateSize: Int, layers: Int, attentionHeads: Int, keyValueHeads: Int? = nil,
    positions: Int = 2048
  ) {
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layers = layers
    self.attentionHeads = attentionHeads
    self.keyValueHeads = keyValueHeads ?? attentionHeads
    self.positions = positions
  }

  /// The entries of the weight matrices of all layers; each is one multiplication for a position.
  var weights: Int {
    let keySize = hiddenSize / attentionHeads * keyValueHeads
    return layers * (2 * hiddenSize * hiddenSize + 2 * hiddenSize * keySize + 3 * hiddenSize * intermediateSize)
  }

  /// The parameters of all layers and of the norm behind them.
  var parameters: Int { weights + (2 * layers + 1) * hiddenSize }

  /// The multiplications of a position with the keys and values of all positions.
  var attentionProducts: Int { layers * 2 * positions * hiddenSize }

  /// The cost of the autoregressive baseline with this shape: one token a position, and a softmax over the vocabulary
  /// with a matrix of its own.
  ///
  /// - Parameter vocabularySize: V.
  public func autoregressiveCost(vocabularySize: Int) -> ModelCost {
    let table = vocabularySize * hiddenSize
    var builder = CostBuilder(tokensPerPosition: 1)
    builder.add("token embedding", parameters: table, multiplications: 0)
    builder.add("Transformer layers", parameters: parameters, multiplications: weights)
    builder.add("attention products", parameters: 0, multiplications: attentionProducts)
    builder.add("softmax over the vocabulary", parameters: table, multiplications: table)
    return ModelCost(parts: builder.parts)
  }
}

/// The sizes of an ``AutoregressiveModel``: its `config.json`, under the keys of Hugging Face's LlamaForCausalLM.
public struct AutoregressiveConfiguration: Codable, Hashable, Sendable {
  /// V, the number of token ids.
  public var vocabularySize: Int
  /// The Transformer.
  public var transformer: TransformerShape
  /// Whether the embedding matrix is also the output matrix.
  public var tiesEmbeddings: Bool
  /// Whether the training text has an end token after each document, so that one precedes each start of a document.
  public var hasDocumentEnds = true
  /// The ids of padding, end of text and start of text, if the tokenizer has them.
  public var special: SpecialTokens

  /// A configuration.
  public init(
    vocabularySize: Int, transformer: TransformerShape, tiesEmbeddings: Bool = false,
    special: SpecialTokens = SpecialTokens()
  ) {
    self.vocabularySize = vocabularySize
    self.transformer = transformer
    self.tiesEmbeddings = tiesEmbeddings
    self.special = special
  }

  /// The ways in which the model can be sampled.
  public static let samplers: [GenerationOptions.Sampler] = [.logits]

  private enum Keys: String, CodingKey, CaseIterable {
    case architectures
    case modelType = "model_type"
    case vocabularySize = "vocab_size"
    case tiesEmbeddings = "tie_word_embeddings"
    case hasDocumentEnds = "document_ends"
    case storedType = "torch_dtype"
  }

  static let architecture = "LlamaForCausalLM"
  static let modelType = "llama"

  /// Reads the keys of Hugging Face.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Keys.self)
    try refuseUnknownKeys(
      in: decoder, known: Keys.allCases.map(\.rawValue) + TransformerShape.keyNames + SpecialTokens.keyNames,
      kind: "a Llama")
    vocabularySize = try values.positive(.vocabularySize, upTo: greatestVocabulary) ?? 32000
    transformer = try TransformerShape(from: decoder)
    tiesEmbeddings = try values.decodeIfPresent(Bool.self, forKey: .tiesEmbeddings) ?? false
    hasDocumentEnds = try values.decodeIfPresent(Bool.self, forKey: .hasDocumentEnds) ?? false
    special = try SpecialTokens(from: decoder)
    try special.check(vocabularySize: vocabularySize, decoder)
  }

  /// Writes the keys of `config.json` that `init(from:)` reads.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Keys.self)
    try values.encode([Self.architecture], forKey: .architectures)
    try values.encode(Self.modelType, forKey: .modelType)
    try values.encode(vocabularySize, forKey: .vocabularySize)
    try values.encode(tiesEmbeddings, forKey: .tiesEmbeddings)
    try values.encode(hasDocumentEnds, forKey: .hasDocumentEnds)
    try values.encode("float32", forKey: .storedType)
    try transformer.encode(to: encoder)
    try special.encode(to: encoder)
  }
}

import CALMTokenizer

extension TokenVocabulary {
  /// The ids of a tokenizer, as shards keep them.
  ///
  /// - Parameters:
  ///   - tokenizer: one that marks the ends of texts, or whose model names such a mark.
  ///   - path: where it is from, for the error.
  ///   - end: the id that ends a document; nil takes the tokenizer's own.
  /// - Throws: ``DataSetError/noEndToken(_:)``.
  public init(of tokenizer: Tokenizer, at path: String, endOfText end: Int32? = nil) throws(DataSetError) {
    guard let end = end ?? tokenizer.eosToken else { throw .noEndToken(path) }
    self.init(tokenizerHash: tokenizer.contentHash, size: tokenizer.vocabularySize, endOfText: end)
  }
}

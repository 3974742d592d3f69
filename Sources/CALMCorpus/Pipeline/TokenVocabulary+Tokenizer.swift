import CALMTokenizer

extension TokenVocabulary {
  /// The vocabulary of a tokenizer, as shards record it.
  ///
  /// - Parameters:
  ///   - tokenizer: a tokenizer with an end-of-text token, unless `end` names one.
  ///   - path: the tokenizer's path, for the error.
  ///   - end: the id that ends each document; nil for the tokenizer's own.
  /// - Throws: ``DataSetError/noEndToken(_:)``.
  public init(of tokenizer: Tokenizer, at path: String, endOfText end: Int32? = nil) throws(DataSetError) {
    guard let end = end ?? tokenizer.eosToken else { throw .noEndToken(path) }
    self.init(tokenizerHash: tokenizer.contentHash, size: tokenizer.vocabularySize, endOfText: end)
  }
}

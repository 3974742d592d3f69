import CALMTokenizer

extension TokenVocabulary {
  /// Creates the vocabulary of a tokenizer, as recorded in shards.
  ///
  /// - Parameters:
  ///   - tokenizer: a tokenizer with an end-of-text token, unless `end` names one.
  ///   - path: the tokenizer's path, for errors.
  ///   - end: the id that ends each document; nil for the tokenizer's end-of-text token.
  /// - Throws: ``DataSetError/noEndToken(_:)``.
  public init(of tokenizer: Tokenizer, at path: String, endOfText end: Int32? = nil) throws(DataSetError) {
    guard let end = end ?? tokenizer.eosToken else { throw .noEndToken(path) }
    self.init(tokenizerHash: tokenizer.contentHash, size: tokenizer.vocabularySize, endOfText: end)
  }
}

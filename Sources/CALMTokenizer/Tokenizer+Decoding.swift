extension Tokenizer {
  /// Decodes `ids` to bytes.
  ///
  /// - Parameter skipSpecial: Whether to omit special tokens.
  /// - Throws: ``TokenizerError/idOutOfRange(id:vocabularySize:)``.
  public func decodeBytes(_ ids: some Sequence<Int32>, skipSpecial: Bool = false) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ids.underestimatedCount * 5)
    for id in ids {
      let token = vocabulary[try checked(id)]
      if skipSpecial && isSpecial[Int(id)] { continue }
      bytes.append(contentsOf: token)
    }
    return bytes
  }

  /// Decodes `ids` to text, replacing invalid UTF-8 by U+FFFD.
  ///
  /// - Parameter skipSpecial: Whether to omit special tokens.
  /// - Throws: ``TokenizerError/idOutOfRange(id:vocabularySize:)``.
  public func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool = false) throws -> String {
    String(decoding: try decodeBytes(ids, skipSpecial: skipSpecial), as: UTF8.self)
  }
}

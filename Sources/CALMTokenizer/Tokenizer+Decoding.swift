extension Tokenizer {
  /// The bytes that `ids` stand for.
  ///
  /// - Parameter skipSpecial: whether to leave special tokens out.
  /// - Throws: `TokenizerError.idOutOfRange`.
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

  /// The text that `ids` stand for, with U+FFFD where their bytes are not valid UTF-8.
  ///
  /// - Parameter skipSpecial: whether to leave special tokens out.
  /// - Throws: `TokenizerError.idOutOfRange`.
  public func decode(_ ids: some Sequence<Int32>, skipSpecial: Bool = false) throws -> String {
    String(decoding: try decodeBytes(ids, skipSpecial: skipSpecial), as: UTF8.self)
  }
}

extension Tokenizer {
  /// Encodes a text to token ids.
  ///
  /// - Parameters:
  ///   - allowSpecial: Whether the text of a special token, such as `<bos>`, is encoded as that token. Use false for
  ///     untrusted text, in which it is ordinary text.
  ///   - addTemplate: Whether to add `prefixTokens` before and `suffixTokens` after the text.
  public func encode(
    _ text: some StringProtocol, allowSpecial: Bool = false, addTemplate: Bool = false
  ) -> [Int32] {
    encode(bytes: text.utf8, allowSpecial: allowSpecial, addTemplate: addTemplate)
  }

  /// Encodes a text in UTF-8 to token ids. Invalid UTF-8 is encoded as well and decodes to the same bytes.
  public func encode(
    bytes: some Collection<UInt8>, allowSpecial: Bool = false, addTemplate: Bool = false
  ) -> [Int32] {
    let direct = bytes.withContiguousStorageIfAvailable {
      encode(buffer: $0, allowSpecial: allowSpecial, addTemplate: addTemplate)
    }
    return direct
      ?? ContiguousArray(bytes).withUnsafeBufferPointer {
        encode(buffer: $0, allowSpecial: allowSpecial, addTemplate: addTemplate)
      }
  }

  private func encode(
    buffer: UnsafeBufferPointer<UInt8>, allowSpecial: Bool, addTemplate: Bool
  ) -> [Int32] {
    var ids: [Int32] = []
    // Prose has four to five bytes per token; the array grows for text with fewer.
    ids.reserveCapacity(buffer.count / 4 + prefixTokens.count + suffixTokens.count + 8)
    if addTemplate { ids += prefixTokens }
    var pass = EncodingPass(self, allowSpecial: allowSpecial)
    _ = pass.encode(buffer, isFinal: true, into: &ids)
    if addTemplate { ids += suffixTokens }
    return ids
  }
}

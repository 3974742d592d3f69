extension Tokenizer {
  /// The token ids of a text.
  ///
  /// - Parameters:
  ///   - allowSpecial: whether the text of a special token, such as `<bos>`, becomes that token. Leave it off for text
  ///     from elsewhere, where it is text like any other.
  ///   - addTemplate: whether to put `prefixTokens` before and `suffixTokens` after the text, as the tokenizer's file
  ///     wants it for a model.
  public func encode(
    _ text: some StringProtocol, allowSpecial: Bool = false, addTemplate: Bool = false
  ) -> [Int32] {
    encode(bytes: text.utf8, allowSpecial: allowSpecial, addTemplate: addTemplate)
  }

  /// The token ids of a text given as UTF-8. Bytes that are not valid UTF-8 are encoded too, and decode to themselves.
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
    // Prose has four to five bytes a token; text that has fewer lets the array grow.
    ids.reserveCapacity(buffer.count / 4 + prefixTokens.count + suffixTokens.count + 8)
    if addTemplate { ids += prefixTokens }
    var pass = EncodingPass(self, allowSpecial: allowSpecial)
    _ = pass.encode(buffer, isFinal: true, into: &ids)
    if addTemplate { ids += suffixTokens }
    return ids
  }
}

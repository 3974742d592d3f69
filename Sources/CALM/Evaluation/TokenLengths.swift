import CALMTokenizer

/// The bytes and characters of every token, by which models with different tokenizers can be compared.
public struct TokenLengths: Sendable {
  private let lengths: [(bytes: Int, characters: Int)]

  /// The lengths of a tokenizer's tokens. A character is a Unicode scalar, counted in the token with its first byte.
  /// Special tokens have none.
  public init(_ tokenizer: Tokenizer) throws {
    let special = Set(tokenizer.addedTokens.filter(\.isSpecial).map(\.id))
    lengths = try (0..<Int32(tokenizer.vocabularySize)).map { id in
      if special.contains(id) { return (0, 0) }
      let bytes = try tokenizer.token(for: id)
      return (bytes.count, bytes.count { $0 & 0b1100_0000 != 0b1000_0000 })
    }
  }

  /// The length of a token; 0 for an id that the tokenizer does not have, such as a padding token of the model.
  package subscript(id: Int32) -> (bytes: Int, characters: Int) {
    lengths.indices.contains(Int(id)) ? lengths[Int(id)] : (0, 0)
  }
}

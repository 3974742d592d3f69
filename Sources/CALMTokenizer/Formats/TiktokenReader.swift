/// Reads the `tokenizer.model` of Llama 3 in tiktoken's format: one token per line, as base64 and rank.
///
/// The file contains only the 128,000 ranks. The split pattern and the 256 special tokens that follow are those of
/// Meta's published code.
struct TiktokenReader {
  /// The file's name in errors.
  let file: String
  var rankCount = 128_000

  func read(_ bytes: [UInt8]) throws -> TokenizerContent {
    var vocabulary = try readRanks(bytes)
    let merges = merges(of: vocabulary)
    let byteTokens = try vocabulary.byteTokens { malformed("it has no token for the byte \($0)") }
    var specials: [AddedToken] = []
    for name in Self.specialTokenNames {
      specials.append(AddedToken(id: Int32(vocabulary.count), content: name, isSpecial: true))
      _ = vocabulary.append(Array(name.utf8), isEncodable: false)
    }
    var content = TokenizerContent(
      vocabulary: vocabulary, merges: merges, byteTokens: byteTokens, addedTokens: specials, splitPattern: .llama3)
    content.ignoresMerges = true
    content.prefixTokens = specials.prefix(1).map(\.id)
    return content
  }

  /// Meta's names for the special tokens, in the order of their ids.
  static let specialTokenNames: [String] = {
    func reserved(_ numbers: ClosedRange<Int>) -> [String] { numbers.map { "<|reserved_special_token_\($0)|>" } }
    return ["<|begin_of_text|>", "<|end_of_text|>"] + reserved(0...3)
      + ["<|start_header_id|>", "<|end_header_id|>"] + reserved(4...4) + ["<|eot_id|>"] + reserved(5...250)
  }()

  private func malformed(_ reason: String) -> TokenizerError { .malformed(file: file, reason: reason) }

  private func readRanks(_ bytes: [UInt8]) throws -> Vocabulary {
    var vocabulary = Vocabulary()
    vocabulary.reserveCapacity(rankCount + Self.specialTokenNames.count)
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
      guard index < rankCount else { throw malformed("it has more than the \(rankCount) ranks of Llama 3") }
      let fields = line.split(separator: UInt8(ascii: " "))
      guard fields.count == 2, let token = Self.decodeBase64(fields[0]), !token.isEmpty else {
        throw malformed(
          "line \(index + 1) is not a base64 token followed by its rank, as in the tokenizer.model of Llama 3")
      }
      guard fields[1].elementsEqual(String(index).utf8) else {
        throw malformed("line \(index + 1) should have the rank \(index)")
      }
      guard vocabulary.append(token, isEncodable: true) else {
        throw malformed("line \(index + 1) repeats the token of an earlier line")
      }
    }
    guard vocabulary.count == rankCount else {
      throw malformed("it has \(vocabulary.count) ranks, but Llama 3 has \(rankCount)")
    }
    return vocabulary
  }

  /// Every pair of tokens whose concatenation is a token, with that token's rank. These are the merges of tiktoken.
  private func merges(of vocabulary: Vocabulary) -> [Merge] {
    var merges: [Merge] = []
    vocabulary.bytes.withUnsafeBufferPointer { bytes in
      for id in 0..<Int32(vocabulary.count) {
        let first = merges.count
        let token = UnsafeBufferPointer(rebasing: bytes[vocabulary.range(of: id)])
        for middle in 1..<max(1, token.count) {
          guard let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: token[..<middle])),
            let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: token[middle...]))
          else { continue }
          merges.append(Merge(left: left, right: right, result: id, rank: id))
        }
        // The order in a `tokenizer.json`.
        merges[first...].sort { ($0.left, $0.right) < ($1.left, $1.right) }
      }
    }
    return merges
  }

  private static let base64Digits: [UInt8] = {
    var digits = [UInt8](repeating: 0xFF, count: 256)
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (value, character) in alphabet.utf8.enumerated() { digits[Int(character)] = UInt8(value) }
    return digits
  }()

  /// Decodes padded base64; nil if it is malformed.
  private static func decodeBase64(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let digits = text.prefix { $0 != UInt8(ascii: "=") }
    let padding = text.count - digits.count
    guard padding <= 2, text.suffix(padding).allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
    var result: [UInt8] = []
    var value: UInt32 = 0
    var bits = 0
    for character in digits {
      let digit = base64Digits[Int(character)]
      guard digit < 64 else { return nil }
      value = value << 6 | UInt32(digit)
      bits += 6
      if bits >= 8 {
        bits -= 8
        result.append(UInt8(truncatingIfNeeded: value >> UInt32(bits)))
        value &= (1 << UInt32(bits)) - 1
      }
    }
    return value == 0 ? result : nil
  }
}

/// The beginning-of-text, end-of-text and padding tokens.
struct TokenRoles: Sendable {
  var bos: Int32?
  var eos: Int32?
  var pad: Int32?
}

/// The content of a `Tokenizer`, which the readers and the trainer produce.
struct TokenizerContent {
  var vocabulary: Vocabulary
  /// The merges in the order of their ranks.
  var merges: [Merge]
  /// The tokens of the 256 bytes.
  var byteTokens: ContiguousArray<Int32>
  var addedTokens: [AddedToken]
  var splitPattern: SplitPattern
  var addsPrefixSpace = false
  var ignoresMerges = false
  var prefixTokens: [Int32] = []
  var suffixTokens: [Int32] = []
  /// The roles that a file specifies; `resolvedRoles` adds the others.
  var roles = TokenRoles()

  /// The specified roles, completed from the prefix and suffix tokens and from conventional names.
  var resolvedRoles: TokenRoles {
    func special(named names: [String]) -> Int32? {
      for name in names {
        if let token = addedTokens.first(where: { $0.isSpecial && $0.content == name }) { return token.id }
      }
      return nil
    }
    let prefix = prefixTokens.count == 1 ? prefixTokens.first : nil
    let suffix = suffixTokens.count == 1 ? suffixTokens.first : nil
    return TokenRoles(
      bos: roles.bos ?? prefix
        ?? special(named: ["<bos>", "<s>", "<|begin_of_text|>", "<|startoftext|>", "<|endoftext|>"]),
      eos: roles.eos ?? suffix ?? special(named: ["<eos>", "</s>", "<|end_of_text|>", "<|endoftext|>"]),
      pad: roles.pad ?? special(named: ["<pad>", "[PAD]", "<|pad|>", "<|finetune_right_pad_id|>"]))
  }

  /// See `Tokenizer.contentHash`.
  func hash(isSpecial: ContiguousArray<Bool>) -> String {
    var hash = FNV1a()
    hash.combine(splitPattern.rawValue.utf8)
    hash.combine(addsPrefixSpace ? 1 : 0)
    hash.combine(ignoresMerges ? 1 : 0)
    for id in 0..<Int32(vocabulary.count) {
      hash.combine(vocabulary[id].count)
      hash.combine(vocabulary[id])
      hash.combine(isSpecial[Int(id)] ? 1 : 0)
    }
    for merge in merges {
      hash.combine(Int(merge.left))
      hash.combine(Int(merge.right))
    }
    let digits = String(hash.value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo), which is the same on every machine and in every version.
private struct FNV1a {
  private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ bytes: some Sequence<UInt8>) {
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
  }

  mutating func combine(_ integer: Int) {
    for shift in stride(from: 0, to: 64, by: 8) {
      combine(CollectionOfOne(UInt8(truncatingIfNeeded: integer >> shift)))
    }
  }
}

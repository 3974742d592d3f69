import Foundation

/// A byte-level BPE tokenizer, which converts text to token ids and back without loss for any bytes.
///
///     let tokenizer = try Tokenizer(contentsOf: folder)
///     let ids = tokenizer.encode("Once upon a time")
///     let text = try tokenizer.decode(ids)
///
/// It reads Hugging Face `tokenizer.json` files and the `tokenizer.model` of Llama 3, and writes `tokenizer.json`. A
/// tokenizer is immutable and can be used from several threads at once.
public final class Tokenizer: Sendable {
  /// The pattern that splits text into pieces before merging.
  public let splitPattern: SplitPattern
  /// The tokens that do not result from merging, including special tokens, in the order of their ids.
  public let addedTokens: [AddedToken]
  /// The tokens that the template adds before a text, usually the beginning-of-text token.
  public let prefixTokens: [Int32]
  /// The tokens that the template adds after a text.
  public let suffixTokens: [Int32]
  /// The beginning-of-text token.
  public let bosToken: Int32?
  /// The end-of-text token.
  public let eosToken: Int32?
  /// The padding token.
  public let padToken: Int32?
  /// A hash of the content in 16 hexadecimal digits, equal for tokenizers that encode and decode identically.
  ///
  /// It is the 64-bit FNV-1a hash of, in this order: the split pattern's name, the two flags `add_prefix_space` and
  /// `ignore_merges`, every token in the order of ids (length, bytes, whether it is special), and every merge in order
  /// (both ids). All integers are hashed as eight bytes in little-endian order.
  public let contentHash: String

  let vocabulary: Vocabulary
  let merges: [Merge]
  let mergeTable: MergeTable
  let byteTokens: ContiguousArray<Int32>
  let addsPrefixSpace: Bool
  /// Whether a piece that is a token is encoded as that token, even if merging would give a different result.
  let ignoresMerges: Bool
  let isSpecial: ContiguousArray<Bool>
  /// Matchers of all added tokens and of those that are not special, in the order in which they are applied.
  let allMatchers: [AddedTokenMatcher]
  let ordinaryMatchers: [AddedTokenMatcher]
  let workspaces = EncodingWorkspacePool()

  /// The number of tokens. Ids are 0 ..< vocabularySize.
  public var vocabularySize: Int { vocabulary.count }

  init(_ content: TokenizerContent) {
    splitPattern = content.splitPattern
    addsPrefixSpace = content.addsPrefixSpace
    ignoresMerges = content.ignoresMerges
    vocabulary = content.vocabulary
    merges = content.merges
    mergeTable = MergeTable(content.merges)
    byteTokens = content.byteTokens
    addedTokens = content.addedTokens.sorted { $0.id < $1.id }
    prefixTokens = content.prefixTokens
    suffixTokens = content.suffixTokens

    var isSpecial = ContiguousArray(repeating: false, count: content.vocabulary.count)
    for token in content.addedTokens where token.isSpecial { isSpecial[Int(token.id)] = true }
    self.isSpecial = isSpecial

    func matchers(of tokens: [AddedToken]) -> [AddedTokenMatcher] {
      [tokens.filter { !$0.isNormalized }, tokens.filter(\.isNormalized)].compactMap(AddedTokenMatcher.init)
    }
    allMatchers = matchers(of: content.addedTokens)
    ordinaryMatchers = matchers(of: content.addedTokens.filter { !$0.isSpecial })

    let roles = content.resolvedRoles
    bosToken = roles.bos
    eosToken = roles.eos
    padToken = roles.pad
    contentHash = content.hash(isSpecial: isSpecial)
  }

  /// The bytes of the token `id`, which may not be valid UTF-8 on their own.
  ///
  /// - Throws: ``TokenizerError/idOutOfRange(id:vocabularySize:)``.
  public func token(for id: Int32) throws -> [UInt8] {
    Array(vocabulary[try checked(id)])
  }

  /// The id of the token with exactly this text, including special tokens.
  public func id(of token: String) -> Int32? {
    addedTokens.first { $0.content.utf8.elementsEqual(token.utf8) }?.id
      ?? Array(token.utf8).withUnsafeBufferPointer { vocabulary.id(of: $0) }
  }

  /// Returns this tokenizer if it has a padding token, otherwise a copy with `content` added as the last id.
  ///
  /// The published CALM models add `[PAD]` to the tokenizer of Llama 3 as id 128256 of 128257.
  ///
  /// - Throws: ``TokenizerError/invalidSpecialTokens(reason:)`` if `content` is empty or already a token.
  public func withPadToken(_ content: String = "[PAD]") throws -> Tokenizer {
    if padToken != nil { return self }
    let namesake = ByteLevelAlphabet.decode(content).flatMap { $0.withUnsafeBufferPointer { vocabulary.id(of: $0) } }
    guard !content.isEmpty, namesake == nil, !addedTokens.contains(where: { $0.content == content }) else {
      throw TokenizerError.invalidSpecialTokens(reason: "\(quoted(content)) is empty or already a token")
    }
    var extended = self.content
    let pad = AddedToken(id: Int32(vocabularySize), content: content, isSpecial: true)
    _ = extended.vocabulary.append(Array(content.utf8), isEncodable: false)
    extended.addedTokens.append(pad)
    extended.roles.pad = pad.id
    return Tokenizer(extended)
  }

  private var content: TokenizerContent {
    TokenizerContent(
      vocabulary: vocabulary, merges: merges, byteTokens: byteTokens, addedTokens: addedTokens,
      splitPattern: splitPattern, addsPrefixSpace: addsPrefixSpace, ignoresMerges: ignoresMerges,
      prefixTokens: prefixTokens, suffixTokens: suffixTokens,
      roles: TokenRoles(bos: bosToken, eos: eosToken, pad: padToken))
  }

  func checked(_ id: Int32) throws -> Int32 {
    guard id >= 0, Int(id) < vocabulary.count else {
      throw TokenizerError.idOutOfRange(id: id, vocabularySize: vocabulary.count)
    }
    return id
  }
}

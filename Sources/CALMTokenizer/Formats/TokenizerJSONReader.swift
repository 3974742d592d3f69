import CALMSupport

/// Reads a Hugging Face `tokenizer.json` that describes a byte-level BPE.
///
/// Every feature of the file is either implemented or rejected with an error that names it. The reader ignores only
/// features that cannot affect ids or bytes: `trim_offsets`, `type_id`, templates for pairs of texts, and unknown
/// tokens, which do not occur in a vocabulary with all 256 bytes.
struct TokenizerJSONReader {
  /// The file's name in errors.
  let file: String

  func read(_ bytes: [UInt8]) throws -> TokenizerContent {
    let root = try parse(bytes)
    try checkMembers(
      of: root, called: "the file",
      known: [
        "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
        "decoder", "model",
      ])
    if let version = root["version"], version.string != "1.0" { throw unsupported("a version other than \"1.0\"") }
    for name in ["truncation", "padding"] where root[name]?.isNull == false { throw unsupported(quoted(name)) }
    guard let model = root["model"], model.object != nil else { throw malformed("it has no object \"model\"") }

    try checkModel(model)
    try checkNormalizer(root["normalizer"])
    try checkDecoder(root["decoder"])
    let (splitPattern, addsPrefixSpace) = try readPreTokenizer(root["pre_tokenizer"])

    let addedTokens = try readAddedTokens(root["added_tokens"])
    let vocabulary = try readVocabulary(model["vocab"], addedTokens: addedTokens)
    var content = TokenizerContent(
      vocabulary: vocabulary, merges: try readMerges(model["merges"], vocabulary: vocabulary),
      byteTokens: try vocabulary.byteTokens { malformed("it has no token for the byte \($0)") },
      addedTokens: addedTokens, splitPattern: splitPattern)
    content.addsPrefixSpace = addsPrefixSpace
    content.ignoresMerges = try flag("ignore_merges", of: model) ?? false
    (content.prefixTokens, content.suffixTokens) =
      try readPostProcessor(root["post_processor"], vocabularySize: vocabulary.count)
    return content
  }

  private func parse(_ bytes: [UInt8]) throws -> JSONValue {
    do {
      return try JSONParser.parse(bytes)
    } catch {
      throw malformed(error.reason)
    }
  }

  private func checkModel(_ model: JSONValue) throws {
    try checkMembers(
      of: model, called: "\"model\"",
      known: [
        "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
        "byte_fallback", "ignore_merges", "vocab", "merges",
      ])
    if let type = model["type"], type.string != "BPE" {
      throw unsupported("the model type \(quoted(type.string ?? "?"))")
    }
    if let dropout = model["dropout"], !dropout.isNull { throw unsupported("\"dropout\"") }
    for name in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = model[name], !affix.isNull, affix.string != "" { throw unsupported(quoted(name)) }
    }
    if try flag("byte_fallback", of: model) == true { throw unsupported("\"byte_fallback\"") }
  }

  private func readAddedTokens(_ value: JSONValue?) throws -> [AddedToken] {
    guard let value, !value.isNull else { return [] }
    guard let entries = value.array else { throw malformed("\"added_tokens\" is not an array") }
    var ids: Set<Int32> = []
    var contents: Set<[UInt8]> = []
    return try entries.map { entry in
      guard let content = entry["content"]?.string, !content.isEmpty, let id = tokenID(entry["id"]) else {
        throw malformed("an entry of \"added_tokens\" has no valid \"content\" and \"id\"")
      }
      try checkMembers(
        of: entry, called: "the added token \(quoted(content))",
        known: ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
      for name in ["single_word", "lstrip", "rstrip"] where try flag(name, of: entry) == true {
        throw unsupported("\(quoted(name)) of the added token \(quoted(content))")
      }
      guard ids.insert(id).inserted else { throw malformed("two added tokens have the id \(id)") }
      guard contents.insert(Array(content.utf8)).inserted else {
        throw malformed("the added token \(quoted(content)) occurs twice")
      }
      return AddedToken(
        id: id, content: content, isSpecial: try flag("special", of: entry) ?? false,
        isNormalized: try flag("normalized", of: entry) ?? false)
    }
  }

  /// The name of each token in the order of ids, from both `vocab` and `added_tokens`.
  private func readNames(_ value: JSONValue?, addedTokens: [AddedToken]) throws -> [String] {
    guard let entries = value?.object else { throw malformed("\"model\" has no object \"vocab\"") }
    let bound = entries.count + addedTokens.count
    var names = [String?](repeating: nil, count: bound)
    let added = Dictionary(addedTokens.map { ($0.content, $0) }, uniquingKeysWith: { first, _ in first })

    func place(_ name: String, at value: JSONValue) throws {
      guard let id = tokenID(value) else { throw malformed("the token \(quoted(name)) has no valid id") }
      guard id < bound else {
        throw malformed("the token \(quoted(name)) has the id \(id), but there are at most \(bound) tokens")
      }
      if let other = names[Int(id)] { throw malformed("\(quoted(other)) and \(quoted(name)) have the same id \(id)") }
      names[Int(id)] = name
    }
    for entry in entries {
      try place(entry.key, at: entry.value)
      // Swift treats canonically equivalent strings as equal, but a vocabulary does not.
      if let token = added[entry.key], token.content.utf8.elementsEqual(entry.key.utf8),
        entry.value.integer != Int(token.id)
      {
        throw malformed("\(quoted(entry.key)) has different ids in \"vocab\" and \"added_tokens\"")
      }
    }
    for token in addedTokens {
      if Int(token.id) < bound, let name = names[Int(token.id)], name.utf8.elementsEqual(token.content.utf8) {
        continue
      }
      try place(token.content, at: .integer(Int(token.id)))
    }

    let count = names.lastIndex { $0 != nil }.map { $0 + 1 } ?? 0
    return try names[..<count].enumerated().map { id, name in
      guard let name else { throw malformed("no token has the id \(id)") }
      return name
    }
  }

  private func readVocabulary(_ value: JSONValue?, addedTokens: [AddedToken]) throws -> Vocabulary {
    let names = try readNames(value, addedTokens: addedTokens)
    let added = Dictionary(uniqueKeysWithValues: addedTokens.map { (Int($0.id), $0) })
    var vocabulary = Vocabulary()
    vocabulary.reserveCapacity(names.count)
    var bytes: [UInt8] = []
    for (id, name) in names.enumerated() {
      bytes.removeAll(keepingCapacity: true)
      var isEncodable = ByteLevelAlphabet.decode(name, into: &bytes)
      if let token = added[id] {
        isEncodable = isEncodable && !token.isSpecial && bytes.elementsEqual(name.utf8)
        bytes = Array(name.utf8)
      } else if !isEncodable {
        throw malformed("the token \(quoted(name)) has a character that is not in the byte-level alphabet")
      }
      guard vocabulary.append(bytes, isEncodable: isEncodable) else {
        throw malformed("the token \(quoted(name)) occurs twice")
      }
    }
    return vocabulary
  }

  private func readMerges(_ value: JSONValue?, vocabulary: Vocabulary) throws -> [Merge] {
    guard let entries = value?.array else { throw malformed("\"model\" has no array \"merges\"") }
    var merges: [Merge] = []
    merges.reserveCapacity(entries.count)
    var pairs: Set<UInt64> = []
    pairs.reserveCapacity(entries.count)
    var bytes: [UInt8] = []
    for (rank, entry) in entries.enumerated() {
      let (left, right) = try mergedNames(entry, rank: rank)
      bytes.removeAll(keepingCapacity: true)
      let isDecodable = ByteLevelAlphabet.decode(left, into: &bytes)
      let middle = bytes.count
      let ids: (Int32, Int32, Int32)? =
        bytes.isEmpty || !isDecodable || !ByteLevelAlphabet.decode(right, into: &bytes)
        ? nil
        : bytes.withUnsafeBufferPointer { buffer in
          guard let left = vocabulary.id(of: UnsafeBufferPointer(rebasing: buffer[..<middle])),
            let right = vocabulary.id(of: UnsafeBufferPointer(rebasing: buffer[middle...])),
            let result = vocabulary.id(of: buffer)
          else { return nil }
          return (left, right, result)
        }
      guard let ids else {
        throw malformed(
          "merge \(rank) (\(quoted(left)) and \(quoted(right))) uses or produces a token that is not in the vocabulary"
        )
      }
      guard pairs.insert(UInt64(ids.0) << 32 | UInt64(ids.1)).inserted else {
        throw malformed("merge \(rank) (\(quoted(left)) and \(quoted(right))) occurs twice")
      }
      merges.append(Merge(left: ids.0, right: ids.1, result: ids.2, rank: Int32(rank)))
    }
    return merges
  }

  /// The two names of a merge, written as `"a b"` or `["a", "b"]`.
  private func mergedNames(_ entry: JSONValue, rank: Int) throws -> (Substring, Substring) {
    switch entry {
    case .string(let line):
      let parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      if parts.count == 2 { return (Substring(parts[0]), Substring(parts[1])) }
    case .array(let parts):
      if parts.count == 2, let left = parts[0].string, let right = parts[1].string { return (left[...], right[...]) }
    default:
      break
    }
    throw malformed("merge \(rank) is not a pair of tokens")
  }
}

extension TokenizerJSONReader {
  func malformed(_ reason: String) -> TokenizerError { .malformed(file: file, reason: reason) }

  func unsupported(_ feature: String) -> TokenizerError { .unsupported(file: file, feature: feature) }

  /// Throws if an object has an unknown or a repeated member.
  func checkMembers(of value: JSONValue, called name: String, known: Set<String>) throws {
    guard let members = value.object else { throw malformed("\(name) is not an object") }
    var seen: Set<String> = []
    for member in members {
      guard known.contains(member.key) else { throw unsupported("\(quoted(member.key)) in \(name)") }
      guard seen.insert(member.key).inserted else { throw malformed("\(name) has \(quoted(member.key)) twice") }
    }
  }

  /// The boolean member `name`; nil if it is absent or null.
  func flag(_ name: String, of value: JSONValue) throws -> Bool? {
    guard let member = value[name], !member.isNull else { return nil }
    guard let flag = member.boolean else { throw malformed("\(quoted(name)) is neither true nor false") }
    return flag
  }

  func tokenID(_ value: JSONValue?) -> Int32? {
    guard let id = value?.integer, id >= 0 else { return nil }
    return Int32(exactly: id)
  }
}

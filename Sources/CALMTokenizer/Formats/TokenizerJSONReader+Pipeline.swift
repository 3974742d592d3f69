import CALMSupport

/// The stages around the model: normalizer, pre-tokenizer, post-processor, decoder.
extension TokenizerJSONReader {
  func checkNormalizer(_ value: JSONValue?) throws {
    for stage in try stages(of: value, called: "normalizer", listedAs: "normalizers") {
      throw unsupported("the normalizer \(typeName(of: stage))")
    }
  }

  func checkDecoder(_ value: JSONValue?) throws {
    let decoders = try stages(of: value, called: "decoder", listedAs: "decoders")
    guard let decoder = decoders.first else { throw unsupported("the decoder null") }
    if let other = decoders.first(where: { $0["type"]?.string != "ByteLevel" }) {
      throw unsupported("the decoder \(typeName(of: other))")
    }
    if decoders.count > 1 { throw unsupported("a sequence of several decoders") }
    try checkByteLevel(decoder)
  }

  /// Reads either `ByteLevel` alone, which splits by the pattern of GPT-2, or a known `Split` followed by `ByteLevel`.
  func readPreTokenizer(_ value: JSONValue?) throws -> (SplitPattern, addsPrefixSpace: Bool) {
    let stages = try stages(of: value, called: "pre_tokenizer", listedAs: "pretokenizers")
    if let other = stages.first(where: { !["Split", "ByteLevel"].contains($0["type"]?.string) }) {
      throw unsupported("the pre-tokenizer \(typeName(of: other))")
    }
    guard let byteLevel = stages.last, byteLevel["type"]?.string == "ByteLevel", stages.count <= 2 else {
      throw unsupported("a pre-tokenizer other than \"ByteLevel\", or \"Split\" and \"ByteLevel\",")
    }
    try checkByteLevel(byteLevel)
    let usesRegex = try flag("use_regex", of: byteLevel) ?? true
    let addsPrefixSpace = try flag("add_prefix_space", of: byteLevel) ?? true
    if stages.count == 1 { return (usesRegex ? .gpt2 : .wholeText, addsPrefixSpace) }

    if usesRegex { throw unsupported("\"use_regex\" of \"ByteLevel\" after another pre-tokenizer") }
    if addsPrefixSpace { throw unsupported("\"add_prefix_space\" of \"ByteLevel\" after another pre-tokenizer") }
    return (try readSplit(stages[0]), false)
  }

  private func readSplit(_ split: JSONValue) throws -> SplitPattern {
    try checkMembers(
      of: split, called: "the pre-tokenizer \"Split\"", known: ["type", "pattern", "behavior", "invert"])
    guard let expression = split["pattern"]?["Regex"]?.string else {
      throw unsupported("a \"Split\" without a regular expression")
    }
    guard let pattern = SplitPattern.allCases.first(where: { $0.regularExpression == expression }) else {
      throw unsupported("the split pattern \(quoted(expression))")
    }
    // The known patterns match every character, so these two are equivalent.
    let behavior = split["behavior"]?.string
    let isInverted = try flag("invert", of: split) ?? false
    guard (behavior == "Isolated" && !isInverted) || (behavior == "Removed" && isInverted) else {
      throw unsupported("a \"Split\" that is not \"Isolated\"")
    }
    return pattern
  }

  /// Reads the tokens before and after a text. `ByteLevel` affects only offsets and is ignored.
  func readPostProcessor(_ value: JSONValue?, vocabularySize: Int) throws -> (prefix: [Int32], suffix: [Int32]) {
    var template: (prefix: [Int32], suffix: [Int32])?
    for stage in try stages(of: value, called: "post_processor", listedAs: "processors") {
      switch stage["type"]?.string {
      case "ByteLevel":
        try checkByteLevel(stage)
      case "TemplateProcessing":
        if template != nil { throw unsupported("more than one \"TemplateProcessing\"") }
        template = try readTemplate(stage, vocabularySize: vocabularySize)
      default:
        throw unsupported("the post-processor \(typeName(of: stage))")
      }
    }
    return template ?? ([], [])
  }

  private func readTemplate(
    _ value: JSONValue, vocabularySize: Int
  ) throws -> (prefix: [Int32], suffix: [Int32]) {
    try checkMembers(
      of: value, called: "\"TemplateProcessing\"", known: ["type", "single", "pair", "special_tokens"])
    guard let items = value["single"]?.array else { throw malformed("\"TemplateProcessing\" has no array \"single\"") }
    var prefix: [Int32] = []
    var suffix: [Int32] = []
    var isAfterText = false
    for item in items {
      if let sequence = item["Sequence"] {
        guard sequence["id"]?.string == "A", !isAfterText else {
          throw unsupported("a \"single\" template with more than the text itself")
        }
        isAfterText = true
      } else if let name = item["SpecialToken"]?["id"]?.string {
        guard let ids = value["special_tokens"]?[name]?["ids"]?.array else {
          throw malformed("the template names \(quoted(name)), which is not in its \"special_tokens\"")
        }
        for id in ids {
          guard let id = tokenID(id), id < vocabularySize else {
            throw malformed("the template's token \(quoted(name)) has an id that is not in the vocabulary")
          }
          if isAfterText { suffix.append(id) } else { prefix.append(id) }
        }
      } else {
        throw malformed("an entry of the template \"single\" is neither \"Sequence\" nor \"SpecialToken\"")
      }
    }
    guard isAfterText else { throw unsupported("a template without the text") }
    return (prefix, suffix)
  }

  /// The stages of a member: none for null, several for a (possibly nested) `Sequence`, otherwise one.
  private func stages(of value: JSONValue?, called name: String, listedAs list: String) throws -> [JSONValue] {
    guard let value, !value.isNull else { return [] }
    guard let type = value["type"]?.string else { throw malformed("\(quoted(name)) is not an object with a \"type\"") }
    guard type == "Sequence" else { return [value] }
    try checkMembers(of: value, called: "the sequence in \(quoted(name))", known: ["type", list])
    guard let parts = value[list]?.array else { throw malformed("\(quoted(name)) has no array \(quoted(list))") }
    return try parts.flatMap { try stages(of: $0, called: name, listedAs: list) }
  }

  private func checkByteLevel(_ value: JSONValue) throws {
    try checkMembers(
      of: value, called: "\"ByteLevel\"", known: ["type", "add_prefix_space", "trim_offsets", "use_regex"])
  }

  private func typeName(of value: JSONValue) -> String { quoted(value["type"]?.string ?? "?") }
}

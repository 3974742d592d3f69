import CALMSupport

/// Writes a tokenizer as Hugging Face `tokenizer.json`, in the layout of the `tokenizers` library.
struct TokenizerJSONWriter {
  let tokenizer: Tokenizer
  private var output: [UInt8] = []

  init(tokenizer: Tokenizer) { self.tokenizer = tokenizer }

  func write() -> [UInt8] {
    var writer = self
    writer.output.reserveCapacity(tokenizer.vocabularySize * 32 + tokenizer.merges.count * 24)
    writer.writeFile()
    return writer.output
  }

  private mutating func writeFile() {
    write("{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n  \"added_tokens\": ")
    writeList(tokenizer.addedTokens, indent: 2, brackets: ("[", "]")) { writer, token in
      writer.write("{\"id\": \(token.id), \"content\": ")
      writer.writeString(token.content)
      writer.write(", \"single_word\": false, \"lstrip\": false, \"rstrip\": false")
      writer.write(", \"normalized\": \(token.isNormalized), \"special\": \(token.isSpecial)}")
    }
    write(",\n  \"normalizer\": null,\n  \"pre_tokenizer\": ")
    writePreTokenizer()
    write(",\n  \"post_processor\": ")
    writePostProcessor()
    write(",\n  \"decoder\": ")
    writeByteLevel(addsPrefixSpace: tokenizer.addsPrefixSpace, usesRegex: tokenizer.splitPattern == .gpt2)
    write(",\n  \"model\": ")
    writeModel()
    write("\n}\n")
  }

  private mutating func writeByteLevel(addsPrefixSpace: Bool, usesRegex: Bool) {
    write("{\"type\": \"ByteLevel\", \"add_prefix_space\": \(addsPrefixSpace)")
    write(", \"trim_offsets\": true, \"use_regex\": \(usesRegex)}")
  }

  private mutating func writePreTokenizer() {
    switch tokenizer.splitPattern {
    case .gpt2, .wholeText:
      writeByteLevel(addsPrefixSpace: tokenizer.addsPrefixSpace, usesRegex: tokenizer.splitPattern == .gpt2)
    case .llama3:
      write("{\"type\": \"Sequence\", \"pretokenizers\": [\n    {\"type\": \"Split\", \"pattern\": {\"Regex\": ")
      writeString(tokenizer.splitPattern.regularExpression ?? "")
      write("}, \"behavior\": \"Isolated\", \"invert\": false},\n    ")
      writeByteLevel(addsPrefixSpace: false, usesRegex: false)
      write("\n  ]}")
    }
  }

  private mutating func writePostProcessor() {
    let prefix = tokenizer.prefixTokens
    let suffix = tokenizer.suffixTokens
    guard !prefix.isEmpty || !suffix.isEmpty else { return write("null") }
    func items(_ sequence: String, type: Int) -> [String] {
      func special(_ id: Int32) -> String {
        "{\"SpecialToken\": {\"id\": \(JSONValue.quoted(name(of: id))), \"type_id\": \(type)}}"
      }
      return prefix.map(special) + ["{\"Sequence\": {\"id\": \"\(sequence)\", \"type_id\": \(type)}}"]
        + suffix.map(special)
    }
    write("{\"type\": \"TemplateProcessing\", \"single\": ")
    writeList(items("A", type: 0), indent: 2, brackets: ("[", "]")) { $0.write($1) }
    write(", \"pair\": ")
    writeList(items("A", type: 0) + items("B", type: 1), indent: 2, brackets: ("[", "]")) { $0.write($1) }
    write(", \"special_tokens\": ")
    writeList(Set(prefix + suffix).sorted(), indent: 2, brackets: ("{", "}")) { writer, id in
      let name = JSONValue.quoted(writer.name(of: id))
      writer.write("\(name): {\"id\": \(name), \"ids\": [\(id)], \"tokens\": [\(name)]}")
    }
    write("}")
  }

  private mutating func writeModel() {
    write("{\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n")
    write("    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n    \"fuse_unk\": false,\n")
    write("    \"byte_fallback\": false,\n    \"ignore_merges\": \(tokenizer.ignoresMerges),\n    \"vocab\": ")
    writeList(0..<modelSize, indent: 4, brackets: ("{", "}")) { writer, id in
      writer.writeString(writer.name(of: id))
      writer.write(": \(id)")
    }
    write(",\n    \"merges\": ")
    writeList(tokenizer.merges, indent: 4, brackets: ("[", "]")) { writer, merge in
      writer.writeString(writer.name(of: merge.left) + " " + writer.name(of: merge.right))
    }
    write("\n  }")
  }

  /// The number of tokens in the model's vocabulary. It excludes added tokens at the end, to which readers assign the
  /// following ids, but includes added tokens in between, whose ids readers could not determine otherwise.
  private var modelSize: Int32 {
    var size = Int32(tokenizer.vocabularySize)
    for token in tokenizer.addedTokens.reversed() {
      guard token.id == size - 1 else { break }
      size -= 1
    }
    return size
  }

  /// The name of a token in the vocabulary.
  private func name(of id: Int32) -> String {
    addedToken(id)?.content ?? ByteLevelAlphabet.encode(tokenizer.vocabulary[id])
  }

  private func addedToken(_ id: Int32) -> AddedToken? {
    var range = tokenizer.addedTokens[...]
    while let middle = range.indices.isEmpty ? nil : range.startIndex + range.count / 2 {
      if range[middle].id == id { return range[middle] }
      range = range[middle].id < id ? range[(middle + 1)...] : range[..<middle]
    }
    return nil
  }

  private mutating func writeList<Items: Collection>(
    _ items: Items, indent: Int, brackets: (String, String), element: (inout Self, Items.Element) -> Void
  ) {
    write(brackets.0)
    let margin = String(repeating: " ", count: indent)
    var isFirst = true
    for item in items {
      write(isFirst ? "\n\(margin)  " : ",\n\(margin)  ")
      isFirst = false
      element(&self, item)
    }
    write(isFirst ? brackets.1 : "\n\(margin)\(brackets.1)")
  }

  private mutating func write(_ text: String) { output.append(contentsOf: text.utf8) }

  private mutating func writeString(_ text: String) { write(JSONValue.quoted(text)) }
}

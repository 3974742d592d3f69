extension DataPartManifest {
  /// Everything that must be the same in all parts of a data set, by name.
  private var common: [(name: String, value: String)] {
    let reading = settings.reading
    return [
      ("number of parts", "\(part.count)"),
      ("tokenizer", "\(tokenizerHash), \(vocabularySize) ids, end of text \(endOfText)"),
      ("tokenizer file", attachments.sorted { $0.key < $1.key }.map { "\($0) \($1)" }.joined(separator: ", ")),
      ("program", createdBy),
      ("validation fraction", "\(settings.validationFraction)"),
      ("maximum number of validation documents", "\(settings.validationMaxDocuments)"),
      ("seed", "\(settings.seed)"),
      ("number of tokens per shard", "\(settings.tokensPerShard)"),
      ("format", reading.format.rawValue),
      ("document unit", reading.documentUnit.rawValue),
      ("text field", reading.textField),
      ("prompt field", reading.promptField ?? "none"),
      ("replacement of invalid bytes", reading.lossy ? "on" : "off"),
      ("skipping of malformed lines", reading.skipMalformed ? "on" : "off"),
      ("number of input files", "\(files.count)"),
    ] + files.enumerated().map { ("input file \($0 + 1)", "\($1.name) of \($1.size) bytes") }
  }

  /// The first property in which another part of the same data set differs although it must not; nil if there is none.
  func difference(from other: Self) -> (name: String, value: String, other: String)? {
    zip(common, other.common).first { $0.value != $1.value }.map { ($0.name, $0.value, $1.value) }
  }
}

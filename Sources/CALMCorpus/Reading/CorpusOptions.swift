/// The format of corpus files.
public enum CorpusFormat: String, Codable, Sendable, CaseIterable {
  /// Determined by the extension: `.jsonl`, `.ndjson` and `.json` are JSON Lines; all other files and standard input
  /// are text.
  case automatic
  /// Plain text, regardless of the extension.
  case text
  /// JSON Lines, regardless of the extension.
  case jsonLines = "jsonl"
}

/// The part of a plain text file that is one document.
public enum DocumentUnit: String, Codable, Sendable, CaseIterable {
  /// The whole file.
  case file
  /// A paragraph; blank lines separate paragraphs.
  case paragraphs
  /// A line that is not blank.
  case lines
}

/// Options of a ``CorpusReader``.
public struct CorpusOptions: Codable, Sendable, Equatable {
  /// The format of the files.
  public var format: CorpusFormat
  /// The unit of plain text that is one document.
  public var documentUnit: DocumentUnit
  /// The field of each JSON object that holds the text.
  public var textField: String
  /// The field that holds a prompt before the text; nil if documents have no prompts.
  public var promptField: String?
  /// Whether invalid UTF-8 is replaced by U+FFFD instead of being an error.
  public var lossy: Bool
  /// Whether malformed lines of JSON are skipped and counted instead of being an error.
  public var skipMalformed: Bool

  /// Options, each with a default value.
  public init(
    format: CorpusFormat = .automatic, documentUnit: DocumentUnit = .file, textField: String = "text",
    promptField: String? = nil, lossy: Bool = false, skipMalformed: Bool = false
  ) {
    self.format = format
    self.documentUnit = documentUnit
    self.textField = textField
    self.promptField = promptField
    self.lossy = lossy
    self.skipMalformed = skipMalformed
  }
}

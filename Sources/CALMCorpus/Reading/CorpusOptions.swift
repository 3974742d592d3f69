/// How the bytes of corpus files become documents.
public enum CorpusFormat: String, Sendable, CaseIterable {
  /// By the file's ending: `.jsonl`, `.ndjson` and `.json` are JSON lines, all else and standard input is text.
  case automatic
  /// Plain text, whatever the ending.
  case text
  /// JSON lines, whatever the ending.
  case jsonLines = "jsonl"
}

/// Where one document of a plain text file ends and the next begins.
public enum TextSplit: String, Sendable, CaseIterable {
  /// The whole file is one document.
  case file
  /// Blank lines part the documents.
  case paragraphs
  /// Each line that is not blank is a document.
  case lines
}

/// The settings of a ``CorpusReader``.
public struct CorpusOptions: Sendable, Equatable {
  /// How files are understood.
  public var format: CorpusFormat
  /// How plain text is cut into documents.
  public var split: TextSplit
  /// The member of each JSON object that holds the text.
  public var textField: String
  /// The member that holds a prompt before the text; nil where documents have none.
  public var promptField: String?
  /// Replaces bytes that are not UTF-8 by U+FFFD instead of stopping.
  public var lossy: Bool
  /// Passes over malformed JSON lines, counting them, instead of stopping.
  public var skipMalformed: Bool

  /// Settings, each with what most corpora want.
  public init(
    format: CorpusFormat = .automatic, split: TextSplit = .file, textField: String = "text",
    promptField: String? = nil, lossy: Bool = false, skipMalformed: Bool = false
  ) {
    self.format = format
    self.split = split
    self.textField = textField
    self.promptField = promptField
    self.lossy = lossy
    self.skipMalformed = skipMalformed
  }
}

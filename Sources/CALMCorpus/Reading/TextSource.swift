/// One document of a corpus.
public struct Document: Sendable, Equatable {
  /// The text, which is never empty; the completion if there is a prompt.
  public var text: String
  /// Text before the completion that is context, not a prediction target; nil if the source has no prompts.
  public var prompt: String?
  /// The name of the file, as given; `standard input` for `-`.
  public var source: String
  /// The line of the file (from 1) on which the document begins.
  public var line: Int
  /// The number of the document (from 0) in the source.
  public var ordinal: Int

  /// Creates a document with its position in a source.
  public init(text: String, prompt: String? = nil, source: String, line: Int, ordinal: Int) {
    self.text = text
    self.prompt = prompt
    self.source = source
    self.line = line
    self.ordinal = ordinal
  }

  /// The length of prompt and text in UTF-8.
  var bytes: Int { text.utf8.count + (prompt?.utf8.count ?? 0) }
}

/// The progress of reading a source.
public struct CorpusProgress: Sendable, Equatable {
  /// Bytes read from the files as stored, before decompression.
  public var bytesRead: Int
  /// The total size of the files as stored, or nil if one is a pipe.
  public var totalBytes: Int?
  /// Documents returned.
  public var documents: Int
  /// Malformed lines of JSON that were skipped.
  public var skippedLines: Int
  /// Documents in which invalid bytes were replaced by U+FFFD.
  public var repairedDocuments: Int

  /// Creates a progress value; by default that of a source that has not been read.
  public init(
    bytesRead: Int = 0, totalBytes: Int? = nil, documents: Int = 0, skippedLines: Int = 0, repairedDocuments: Int = 0
  ) {
    self.bytesRead = bytesRead
    self.totalBytes = totalBytes
    self.documents = documents
    self.skippedLines = skippedLines
    self.repairedDocuments = repairedDocuments
  }
}

/// A stream of documents. Documents are read one at a time, so memory use does not grow with the corpus.
public protocol TextSource: AnyObject {
  /// Returns the next document, or nil after the last.
  func next() throws -> Document?
  /// The progress of reading the source.
  var progress: CorpusProgress { get }
  /// The names of the files, recorded in the data set.
  var names: [String] { get }
}

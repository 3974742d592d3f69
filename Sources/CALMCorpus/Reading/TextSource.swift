/// One document of a corpus.
public struct Document: Sendable, Equatable {
  /// Its text, never empty; the completion where there is a prompt.
  public var text: String
  /// What stands before the text, to be seen and not to be predicted; nil where the source tells no prompts apart.
  public var prompt: String?
  /// The file it comes from, as it was named; `standard input` for `-`.
  public var source: String
  /// The line of that file (from 1) on which it begins.
  public var line: Int
  /// Its number (from 0) among all documents of the source.
  public var ordinal: Int

  /// A document with its place in a source.
  public init(text: String, prompt: String? = nil, source: String, line: Int, ordinal: Int) {
    self.text = text
    self.prompt = prompt
    self.source = source
    self.line = line
    self.ordinal = ordinal
  }

  /// Its length in UTF-8.
  var bytes: Int { text.utf8.count + (prompt?.utf8.count ?? 0) }
}

/// How far a source has been read.
public struct CorpusProgress: Sendable, Equatable {
  /// Bytes read of the files as they lie on the disk (compressed, where they are).
  public var bytesRead: Int
  /// The size of all files together, or nil where a pipe takes part.
  public var totalBytes: Int?
  /// Documents handed out.
  public var documents: Int
  /// Malformed JSON lines passed over.
  public var skippedLines: Int
  /// Documents in which bytes were replaced by U+FFFD.
  public var repairedDocuments: Int

  /// Progress, at the beginning unless told otherwise.
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

/// A stream of documents, read one by one so that memory does not grow with the corpus.
public protocol TextSource: AnyObject {
  /// The next document, or nil after the last.
  func next() throws -> Document?
  /// How far the source has been read.
  var progress: CorpusProgress { get }
  /// The names of its files, for the record.
  var names: [String] { get }
}

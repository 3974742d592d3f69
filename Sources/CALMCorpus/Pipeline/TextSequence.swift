/// Texts in memory, or generated one by one, as a source of documents.
///
///     let source = TextSequence(SyntheticStories().stories(seed: 1, bytes: 6_000_000), name: "synthetic stories")
///
/// A sequence must not be used by two threads at once.
public final class TextSequence<Texts: Sequence>: TextSource where Texts.Element == String {
  /// The progress of reading, in bytes of UTF-8.
  public private(set) var progress: CorpusProgress
  /// The name of the source.
  public let names: [String]
  private var texts: Texts.Iterator
  private var line = 0

  /// Creates a source from the texts that are not empty.
  ///
  /// - Parameters:
  ///   - name: the name of the source, to be recorded.
  ///   - totalBytes: the size of all texts; nil if unknown.
  public init(_ texts: Texts, name: String, totalBytes: Int? = nil) {
    (self.texts, names) = (texts.makeIterator(), [name])
    progress = CorpusProgress(totalBytes: totalBytes)
  }

  /// The next text that is not empty, or nil after the last.
  public func next() -> Document? {
    while let text = texts.next() {
      line += 1
      if text.isEmpty { continue }
      defer { progress.documents += 1 }
      progress.bytesRead += text.utf8.count
      return Document(text: text, source: names[0], line: line, ordinal: progress.documents)
    }
    return nil
  }
}

import CALMCorpus
import CALMSupport
import Foundation

/// Counts the batches that were skipped because their loss or gradient was not finite, and lists their documents in
/// `skipped.jsonl`, one JSON object per line.
final class SkipLog {
  /// Batches skipped in the whole run.
  private(set) var total: Int
  private var inARow = 0
  private let limit: Int
  private let url: URL

  /// The documents of one corpus in a batch.
  private struct Source: Encodable {
    /// The index of the corpus in the settings of the run.
    let corpus: Int
    /// The indices of the documents, counted from 0.
    let documents: [Int]
  }

  private struct Line: Encodable {
    /// Batches skipped in the whole run, including this one; the same in all processes.
    let total: Int
    let step: Int
    let rank: Int
    let loss: String
    let gradientNorm: String
    let sources: [Source]
  }

  /// - Parameters:
  ///   - total: batches skipped so far.
  ///   - limit: the number of consecutive batches that may be skipped.
  init(_ folder: RunFolder, total: Int, limit: Int) {
    (url, self.total, self.limit) = (folder.skipsURL, total, limit)
  }

  /// Removes incomplete lines and the lines of batches that were skipped after the checkpoint from which the run resumes.
  /// The run will reach those batches again.
  ///
  /// - Throws: ``FileError``.
  func removeLaterLines() throws {
    guard let content = try? Data(contentsOf: url) else { return }
    let length = LinesFromTheEnd.length(of: content) { line in
      let line = try? JSONParser.parse(Array(line))
      return line?["total"]?.integer.map { $0 <= total } ?? false
    }
    if length < content.count { try AppendedFile(path: url.path).cut(to: length) }
  }

  /// Ends a sequence of consecutive skipped batches, because a step was taken.
  func endRow() { inARow = 0 }

  /// Records a skipped batch. Each process calls this with its rows of the batch.
  ///
  /// - Throws: ``TrainingError/notFinite(step:inARow:documents:)`` if too many consecutive batches were skipped.
  func add(step: Int, loss: Double, norm: Double, _ batch: TokenBatch, rank: Int) throws {
    (total, inARow) = (total + 1, inARow + 1)
    let chunks = batch.documents.count / batch.rows
    var documents: [Int: Set<Int>] = [:]
    for (row, corpus) in batch.corpora.enumerated() {
      let found = batch.documents[row * chunks..<(row + 1) * chunks].filter { $0 != PackedSequences.noDocument }
      documents[corpus, default: []].formUnion(found.map(Int.init))
    }
    let sources = documents.sorted { $0.key < $1.key }.map { Source(corpus: $0.key, documents: $0.value.sorted()) }
    try append(
      Line(total: total, step: step, rank: rank, loss: "\(loss)", gradientNorm: "\(norm)", sources: sources))
    if inARow > limit { throw TrainingError.notFinite(step: step, inARow: inARow, documents: url.path) }
  }

  private func append(_ line: Line) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // All processes append to the same file, so write each line at once.
    try AppendedFile(path: url.path).append(try encoder.encode(line) + Data("\n".utf8))
  }
}

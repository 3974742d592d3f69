import CALMCorpus
import CALMSupport
import Foundation

/// Counts the batches that were left out because their loss or gradient was not finite, and writes down which documents
/// they held: `skipped.jsonl`, an object a line.
final class SkipLog {
  /// Batches left out in the whole run.
  private(set) var total: Int
  private var inARow = 0
  private let tolerated: Int
  private let url: URL

  /// A part of a corpus that a batch was made of.
  private struct Source: Encodable {
    /// The corpus's number, in the order of the run's data.
    let corpus: Int
    /// Numbers of documents in it, from 0 on.
    let documents: [Int]
  }

  private struct Line: Encodable {
    /// Batches left out in the whole run, this one included: the same in all processes.
    let total: Int
    let step: Int
    let rank: Int
    let loss: String
    let gradientNorm: String
    let sources: [Source]
  }

  /// - Parameter tolerated: batches in a row that may be left out.
  init(_ folder: RunFolder, total: Int, tolerated: Int) {
    (url, self.total, self.tolerated) = (folder.skipsURL, total, tolerated)
  }

  /// Takes away the lines of batches that come again: those that were left out after the checkpoint which the run goes
  /// on from, and half lines. Lines of earlier versions, which do not say their number, stay.
  ///
  /// - Throws: ``FileError``.
  func dropLaterLines() throws {
    guard let content = try? Data(contentsOf: url) else { return }
    let length = LinesFromTheEnd.length(of: content) { line in
      guard let line = try? JSONParser.parse(Array(line)) else { return false }
      return line["total"]?.integer.map { $0 <= total } ?? true
    }
    if length < content.count { try AppendedFile(path: url.path).cut(to: length) }
  }

  /// A step was taken.
  func endRow() { inARow = 0 }

  /// Writes down a batch, of which each process has a share of its own.
  ///
  /// - Throws: ``TrainingError/notFinite(step:inARow:documents:)`` where too many came in a row.
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
    if inARow > tolerated { throw TrainingError.notFinite(step: step, inARow: inARow, documents: url.path) }
  }

  private func append(_ line: Line) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    // Each process adds its own lines, each in one piece.
    try AppendedFile(path: url.path).append(try encoder.encode(line) + Data("\n".utf8))
  }
}

import CALM

/// The pieces of prompts that were read, so that prompts with an equal beginning read it once.
///
/// A prompt takes whole pieces only, for which the numbers are those that it would compute: see ``PromptPiece``. The
/// pieces that were not used for the longest time give way to others.
final class PrefixCache {
  private struct Entry {
    let piece: PromptPiece
    var lastUse: Int
  }

  /// By the tokens of the prompt up to the end of the piece.
  private var entries: [[Int32]: Entry] = [:]
  private var uses = 0
  private let pieceBytes: Int

  /// - Parameter pieceBytes: the memory of a piece.
  init(pieceBytes: Int) { self.pieceBytes = pieceBytes }

  /// The memory of all pieces.
  var bytes: Int { entries.count * pieceBytes }

  /// Lets a sequence take the next pieces of its prompt, as far as there are any.
  ///
  /// - Returns: the number of pieces.
  func fill(_ sequence: BatchSequence) -> Int {
    var taken = 0
    while let tokens = sequence.nextPieceTokens, let entry = entries[tokens] {
      sequence.take(entry.piece)
      use(tokens)
      taken += 1
    }
    return taken
  }

  /// Keeps the piece that a sequence has read, if it is whole and fits.
  ///
  /// - Parameter limit: the maximum memory of all pieces.
  func add(from sequence: BatchSequence, limit: Int) {
    guard limit >= pieceBytes, let (tokens, piece) = sequence.latestPiece, entries[tokens] == nil else { return }
    shrink(to: limit - pieceBytes)
    entries[tokens] = Entry(piece: piece, lastUse: 0)
    use(tokens)
  }

  /// Removes the pieces that were not used for the longest time.
  func shrink(to limit: Int) {
    while bytes > limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
    }
  }

  private func use(_ tokens: [Int32]) {
    uses += 1
    entries[tokens]?.lastUse = uses
  }
}

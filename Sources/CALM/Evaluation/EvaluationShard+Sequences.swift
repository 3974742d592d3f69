import CALMCorpus

/// A sequence of held-out text, without the padding of the last one.
struct EvaluationSequence {
  /// Whole chunks.
  let ids: [Int32]
  /// The document of each chunk.
  let documents: [Int32]
  /// The seed of its random numbers.
  let seed: UInt64
}

extension EvaluationShard {
  /// Calls `body` with each sequence of this process that has enough chunks.
  ///
  /// - Parameters:
  ///   - limit: the number of sequences of all processes, from the start; nil for all.
  ///   - chunks: the chunks that a sequence needs.
  ///   - progress: called after each sequence with the number of finished ones.
  func forEachSequence(
    of text: PackedSequences, limit: Int?, chunks needed: Int, seed: UInt64, progress: (Int) -> Void = { _ in },
    _ body: (EvaluationSequence) throws -> Void
  ) throws {
    for index in sequences(of: min(limit ?? text.count, text.count)) {
      let sequence = try text.sequence(index)
      let chunks = sequence.documents.prefix { $0 != PackedSequences.noDocument }.count
      if chunks < needed { continue }
      try body(
        EvaluationSequence(
          ids: Array(sequence.ids.prefix(chunks * text.chunkSize)),
          documents: Array(sequence.documents.prefix(chunks)), seed: Self.seed(seed, sequence: index)))
      progress(index + 1)
    }
  }
}

import Foundation

/// A corpus to sample sequences from, with its weight in the mixture.
public struct WeightedSequences: Sendable {
  /// The corpus.
  public var sequences: PackedSequences
  /// The fraction of all sequences that come from it, relative to the weights of the other corpora.
  public var weight: Double

  /// Creates a weighted corpus.
  public init(_ sequences: PackedSequences, weight: Double = 1) {
    self.sequences = sequences
    self.weight = weight
  }
}

/// The sequences of one training step.
public struct TokenBatch: Sendable, Equatable {
  /// Token ids in row-major order, shape (rows, sequence tokens).
  public var ids: [Int32]
  /// The number of each chunk's document within its corpus, shape (rows, sequence chunks).
  public var documents: [Int32]
  /// Whether each chunk is a prediction target, shape (rows, sequence chunks); nil if no corpus has prompts.
  public var targets: [Bool]?
  /// The corpus that each row comes from.
  public var corpora: [Int]
  /// Where to resume after this batch.
  public var position: BatchPosition

  /// The number of sequences.
  public var rows: Int { corpora.count }
}

/// An endless stream of shuffled batches, prefetched by a background thread.
///
/// Every epoch of every corpus has a new order, determined by the seed. The stream depends only on the seed, the
/// corpora and their weights. A stream resumed from a ``position`` continues identically. The rows of all processes of
/// a parallel run, concatenated by rank, are the rows that a single process would receive.
///
///     let loader = try BatchLoader([WeightedSequences(sequences)], batchSize: 16, seed: 1)
///     let batch = try loader.next()
///
/// A loader must not be used by two threads at once.
public final class BatchLoader {
  /// Where to resume after the last batch that ``next()`` returned.
  public private(set) var position: BatchPosition
  /// The total time that ``next()`` has waited for batches, in seconds.
  public private(set) var waitSeconds = 0.0
  /// Sequences in a batch, over all processes.
  public let batchSize: Int

  private let queue: PrefetchQueue<TokenBatch>

  /// Starts prefetching batches.
  ///
  /// - Parameters:
  ///   - corpora: The corpora to sample from; all must have the same chunk size and sequence length.
  ///   - batchSize: Sequences in a batch, over all processes.
  ///   - seed: Determines the order.
  ///   - rank: The rank of this process, 0 ..< worldSize.
  ///   - worldSize: The number of processes that share each batch; it must divide `batchSize`.
  ///   - prefetch: The number of batches to prepare ahead of time.
  ///   - position: Where to resume, or nil to start at the beginning.
  /// - Throws: ``PackingError`` if the corpora, weights, batch size or position do not fit together.
  public init(
    _ corpora: [WeightedSequences], batchSize: Int, seed: UInt64, rank: Int = 0, worldSize: Int = 1, prefetch: Int = 4,
    startingAt position: BatchPosition? = nil
  ) throws {
    precondition(batchSize > 0, "BatchLoader: batchSize \(batchSize)")
    precondition(worldSize > 0 && (0..<worldSize).contains(rank), "BatchLoader: rank \(rank) of \(worldSize)")
    guard batchSize % worldSize == 0 else {
      throw PackingError.unevenBatch(batchSize: batchSize, worldSize: worldSize)
    }
    let sequences = corpora.map(\.sequences)
    try Self.check(sequences)
    let schedule = try BatchSchedule(
      sequences: sequences.map(\.count), weights: corpora.map(\.weight), seed: seed, startingAt: position)
    let share = batchSize / worldSize
    let rows = rank * share..<(rank + 1) * share
    let queue = PrefetchQueue<TokenBatch>(capacity: prefetch)
    self.position = schedule.position
    self.batchSize = batchSize
    self.queue = queue
    let thread = Thread {
      var schedule = schedule
      do {
        while queue.put(try Self.batch(&schedule, from: sequences, size: batchSize, rows: rows)) {}
      } catch {
        queue.fail(error)
      }
    }
    thread.name = "BatchLoader"
    thread.start()
  }

  deinit { queue.close() }

  /// Returns this process's rows of the next batch.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` if a shard has changed since it was written.
  public func next() throws -> TokenBatch {
    let start = DispatchTime.now().uptimeNanoseconds
    defer { waitSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 }
    let batch = try queue.take()
    position = batch.position
    return batch
  }

  /// Samples a whole batch and reads its rows `rows`.
  private static func batch(
    _ schedule: inout BatchSchedule, from corpora: [PackedSequences], size: Int, rows: Range<Int>
  ) throws -> TokenBatch {
    let samples = (0..<size).map { _ in schedule.next() }[rows]
    let (tokens, chunks) = (corpora[0].sequenceTokens, corpora[0].sequenceChunks)
    var batch = TokenBatch(
      ids: [Int32](repeating: 0, count: rows.count * tokens),
      documents: [Int32](repeating: 0, count: rows.count * chunks),
      targets: corpora.contains { $0.hasPrompts } ? [Bool](repeating: true, count: rows.count * chunks) : nil,
      corpora: samples.map(\.corpus), position: schedule.position)
    try batch.ids.withUnsafeMutableBufferPointer { ids in
      try batch.documents.withUnsafeMutableBufferPointer { documents in
        for (row, sample) in samples.enumerated() {
          try corpora[sample.corpus].copySequence(
            sample.sequence, ids: UnsafeMutableBufferPointer(rebasing: ids[row * tokens..<(row + 1) * tokens]),
            documents: UnsafeMutableBufferPointer(rebasing: documents[row * chunks..<(row + 1) * chunks]))
        }
      }
    }
    batch.targets?.withUnsafeMutableBufferPointer { targets in
      for (row, sample) in samples.enumerated() {
        corpora[sample.corpus].markTargets(
          ofSequence: sample.sequence,
          in: UnsafeMutableBufferPointer(rebasing: targets[row * chunks..<(row + 1) * chunks]))
      }
    }
    return batch
  }

  private static func check(_ corpora: [PackedSequences]) throws {
    guard let first = corpora.first else { throw PackingError.noDocuments }
    for other in corpora.dropFirst() {
      precondition(
        other.chunkSize == first.chunkSize && other.sequenceChunks == first.sequenceChunks,
        "BatchLoader: the corpora have different chunk sizes or sequence lengths")
      if other.shards[0].vocabulary != first.shards[0].vocabulary {
        throw PackingError.tokenizerMismatch(path: other.shards[0].path, other: first.shards[0].path)
      }
    }
  }
}

import Foundation

/// A corpus to draw blocks from, and how much of the whole it shall be.
public struct WeightedSequences: Sendable {
  /// The corpus.
  public var blocks: PackedSequences
  /// Its share of all blocks drawn, relative to the other corpora's.
  public var weight: Double

  /// A corpus with its weight.
  public init(_ blocks: PackedSequences, weight: Double = 1) {
    self.blocks = blocks
    self.weight = weight
  }
}

/// Blocks to be trained on together.
public struct TokenBatch: Sendable, Equatable {
  /// Token ids, shape (rows, block tokens), row after row.
  public var ids: [Int32]
  /// For each chunk the number of its document within its corpus, shape (rows, block chunks).
  public var documents: [Int32]
  /// For each chunk whether it is to be predicted, shape (rows, block chunks); nil where no corpus has prompts.
  public var targets: [Bool]?
  /// For each row the corpus it was drawn from.
  public var corpora: [Int]
  /// Where to resume after this batch.
  public var position: BatchPosition

  /// How many blocks these are.
  public var rows: Int { corpora.count }
}

/// An endless stream of shuffled batches, made ahead of time by a thread of its own.
///
/// Every epoch of every corpus has a new order, which the seed decides. The stream depends on seed, corpora and weights
/// only: resumed from a ``position`` it goes on identically, and the rows that the processes of a parallel run receive,
/// put together by rank, are the rows that one process would have received.
///
///     let loader = try BatchLoader([WeightedSequences(blocks)], batchSize: 16, seed: 1)
///     let batch = try loader.next()
///
/// Not for use by two threads at once.
public final class BatchLoader {
  /// Where to resume after the last batch handed out.
  public private(set) var position: BatchPosition
  /// How long ``next()`` has waited for batches, in seconds, all calls together.
  public private(set) var waitSeconds = 0.0
  /// Blocks of a batch, all processes together.
  public let batchSize: Int

  private let queue: PrefetchQueue<TokenBatch>

  /// Begins to make batches.
  ///
  /// - Parameters:
  ///   - corpora: What to draw from; all with the same chunk size and block length.
  ///   - batchSize: Blocks of a batch, all processes together.
  ///   - seed: Decides the order.
  ///   - rank: This process among those that share each batch, 0 ..< worldSize.
  ///   - worldSize: How many processes share each batch; it must divide `batchSize`.
  ///   - prefetch: How many batches are kept ready.
  ///   - position: Where to go on, or nil for the beginning.
  /// - Throws: ``PackingError`` for corpora, weights, shares or a position that do not fit together.
  public init(
    _ corpora: [WeightedSequences], batchSize: Int, seed: UInt64, rank: Int = 0, worldSize: Int = 1, prefetch: Int = 4,
    startingAt position: BatchPosition? = nil
  ) throws {
    precondition(batchSize > 0, "BatchLoader: batchSize \(batchSize)")
    precondition(worldSize > 0 && (0..<worldSize).contains(rank), "BatchLoader: rank \(rank) of \(worldSize)")
    guard batchSize % worldSize == 0 else {
      throw PackingError.unevenBatch(batchSize: batchSize, worldSize: worldSize)
    }
    try Self.check(corpora.map(\.blocks))
    let schedule = try BatchSchedule(
      blocks: corpora.map(\.blocks.count), weights: corpora.map(\.weight), seed: seed, startingAt: position)
    let share = batchSize / worldSize
    let rows = rank * share..<(rank + 1) * share
    let blocks = corpora.map(\.blocks)
    let queue = PrefetchQueue<TokenBatch>(capacity: prefetch)
    self.position = schedule.position
    self.batchSize = batchSize
    self.queue = queue
    let thread = Thread {
      var schedule = schedule
      do {
        while queue.put(try Self.batch(&schedule, from: blocks, size: batchSize, rows: rows)) {}
      } catch {
        queue.fail(error)
      }
    }
    thread.name = "BatchLoader"
    thread.start()
  }

  deinit { queue.close() }

  /// The next batch: this process's rows of it.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` when a shard changed since it was written.
  public func next() throws -> TokenBatch {
    let start = DispatchTime.now().uptimeNanoseconds
    defer { waitSeconds += Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9 }
    let batch = try queue.take()
    position = batch.position
    return batch
  }

  /// Draws a whole batch and reads `rows` of it.
  private static func batch(
    _ schedule: inout BatchSchedule, from corpora: [PackedSequences], size: Int, rows: Range<Int>
  ) throws -> TokenBatch {
    let draws = (0..<size).map { _ in schedule.next() }[rows]
    let (tokens, chunks) = (corpora[0].sequenceTokens, corpora[0].sequenceChunks)
    var batch = TokenBatch(
      ids: [Int32](repeating: 0, count: rows.count * tokens),
      documents: [Int32](repeating: 0, count: rows.count * chunks),
      targets: corpora.contains { $0.hasPrompts } ? [Bool](repeating: true, count: rows.count * chunks) : nil,
      corpora: draws.map(\.corpus), position: schedule.position)
    try batch.ids.withUnsafeMutableBufferPointer { ids in
      try batch.documents.withUnsafeMutableBufferPointer { documents in
        for (row, draw) in draws.enumerated() {
          try corpora[draw.corpus].copyBlock(
            draw.block, ids: UnsafeMutableBufferPointer(rebasing: ids[row * tokens..<(row + 1) * tokens]),
            documents: UnsafeMutableBufferPointer(rebasing: documents[row * chunks..<(row + 1) * chunks]))
        }
      }
    }
    batch.targets?.withUnsafeMutableBufferPointer { targets in
      for (row, draw) in draws.enumerated() {
        corpora[draw.corpus].markTargets(
          ofBlock: draw.block, in: UnsafeMutableBufferPointer(rebasing: targets[row * chunks..<(row + 1) * chunks]))
      }
    }
    return batch
  }

  private static func check(_ corpora: [PackedSequences]) throws {
    guard let first = corpora.first else { throw PackingError.noDocuments }
    for other in corpora.dropFirst() {
      precondition(
        other.chunkSize == first.chunkSize && other.sequenceChunks == first.sequenceChunks,
        "BatchLoader: corpora packed into blocks of different shapes")
      if other.shards[0].vocabulary != first.shards[0].vocabulary {
        throw PackingError.tokenizerMismatch(path: other.shards[0].path, other: first.shards[0].path)
      }
    }
  }
}

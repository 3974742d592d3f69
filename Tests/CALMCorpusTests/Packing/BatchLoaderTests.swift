import CALMCorpus
import Foundation
import Testing

@Suite("Batches")
struct BatchLoaderTests {
  private let small: PackedSequences
  private let large: PackedSequences
  private let fixtures: [ShardFixture]

  init() throws {
    fixtures = [try .random(documents: 60, seed: 21), try .random(documents: 400, seed: 22)]
    small = try fixtures[0].blocks(chunkSize: 4, sequenceChunks: 8)
    large = try fixtures[1].blocks(chunkSize: 4, sequenceChunks: 8)
  }

  private func batches(_ count: Int, of loader: BatchLoader) throws -> [TokenBatch] {
    try (0..<count).map { _ in try loader.next() }
  }

  private func rows(_ batches: [TokenBatch]) -> [[Int32]] {
    batches.flatMap { batch in
      let width = batch.ids.count / batch.rows
      return (0..<batch.rows).map { Array(batch.ids[$0 * width..<($0 + 1) * width]) }
    }
  }

  @Test("an epoch holds every block once, in an order of its own")
  func epochs() throws {
    let loader = try BatchLoader([WeightedSequences(large)], batchSize: 1, seed: 5)
    let first = rows(try batches(large.count, of: loader))
    #expect(loader.position.corpora[0] == .init(epoch: 1, index: 0, blocks: large.count))
    let second = rows(try batches(large.count, of: loader))
    let all = try (0..<large.count).map { try large.block($0).ids }
    func sorted(_ rows: [[Int32]]) -> [[Int32]] { rows.sorted { $0.lexicographicallyPrecedes($1) } }
    #expect(sorted(first) == sorted(all))
    #expect(sorted(second) == sorted(all))
    #expect(first != second && first != all)
  }

  @Test("ids and documents of a row are those of one block")
  func rowsAreBlocks() throws {
    let blocks = [small, large]
    let loader = try BatchLoader(blocks.map { WeightedSequences($0) }, batchSize: 6, seed: 5)
    let known = try blocks.map { blocks in Set(try (0..<blocks.count).map { try blocks.block($0) }.map(Row.init)) }
    for batch in try batches(20, of: loader) {
      #expect(batch.ids.count == 6 * 32 && batch.documents.count == 6 * 8 && batch.rows == 6)
      for row in 0..<6 {
        let one = Row(
          ids: Array(batch.ids[row * 32..<row * 32 + 32]), documents: Array(batch.documents[row * 8..<row * 8 + 8]))
        #expect(known[batch.corpora[row]].contains(one))
      }
    }
  }

  @Test("a saved position goes on identically, at any batch", arguments: [1, 3, 10, 37])
  func resume(after count: Int) throws {
    let corpora = [WeightedSequences(small, weight: 0.3), WeightedSequences(large, weight: 0.7)]
    let whole = try batches(count + 50, of: BatchLoader(corpora, batchSize: 7, seed: 9))
    let loader = try BatchLoader(corpora, batchSize: 7, seed: 9)
    _ = try batches(count, of: loader)
    let saved = try JSONEncoder().encode(loader.position)
    let position = try JSONDecoder().decode(BatchPosition.self, from: saved)
    #expect(position == whole[count - 1].position)
    let resumed = try BatchLoader(corpora, batchSize: 7, seed: 9, startingAt: position)
    #expect(resumed.position == position)
    #expect(try batches(50, of: resumed) == Array(whole[count...]))
  }

  @Test("the ranks' rows put together are the batch of one process", arguments: [2, 3, 4, 12])
  func ranks(worldSize: Int) throws {
    let corpora = [WeightedSequences(small, weight: 1), WeightedSequences(large, weight: 2)]
    let whole = try batches(20, of: BatchLoader(corpora, batchSize: 12, seed: 1))
    let shared = try (0..<worldSize).map { rank in
      try batches(20, of: BatchLoader(corpora, batchSize: 12, seed: 1, rank: rank, worldSize: worldSize))
    }
    for (index, batch) in whole.enumerated() {
      let parts = shared.map { $0[index] }
      #expect(parts.flatMap(\.ids) == batch.ids)
      #expect(parts.flatMap(\.documents) == batch.documents)
      #expect(parts.flatMap(\.corpora) == batch.corpora)
      #expect(parts.allSatisfy { $0.position == batch.position })
    }
  }

  @Test("a position taken with one world size goes on with another, and another batch size")
  func changedShares() throws {
    let corpora = [WeightedSequences(small), WeightedSequences(large)]
    let whole = rows(try batches(24, of: BatchLoader(corpora, batchSize: 4, seed: 2)))
    let two = try BatchLoader(corpora, batchSize: 4, seed: 2, rank: 1, worldSize: 2)
    _ = try batches(6, of: two)
    let other = try BatchLoader(corpora, batchSize: 12, seed: 2, startingAt: two.position)
    #expect(rows(try batches(6, of: other)) == Array(whole[24...]))
  }

  @Test("every corpus gets its share within one block, always")
  func weights() throws {
    let weights = [5.0, 2.5, 2.5]
    let corpora = zip([small, large, large], weights).map { WeightedSequences($0, weight: $1) }
    let loader = try BatchLoader(corpora, batchSize: 1, seed: 4)
    var drawn = [0.0, 0.0, 0.0]
    for draw in 1...2_000 {
      drawn[try loader.next().corpora[0]] += 1
      for corpus in 0..<3 { #expect(abs(drawn[corpus] - Double(draw) * weights[corpus] / 10) <= 1) }
    }
  }

  @Test("what does not fit together is refused")
  func refusals() throws {
    let corpora = [WeightedSequences(small), WeightedSequences(large)]
    func loader(_ corpora: [WeightedSequences], batchSize: Int = 4, worldSize: Int = 1, at: BatchPosition? = nil) throws
    {
      _ = try BatchLoader(corpora, batchSize: batchSize, seed: 0, worldSize: worldSize, startingAt: at)
    }
    #expect(throws: PackingError.noDocuments) { try loader([]) }
    #expect(throws: PackingError.unevenBatch(batchSize: 4, worldSize: 3)) { try loader(corpora, worldSize: 3) }
    for weight in [0, -1, .nan, .infinity] {
      #expect(throws: PackingError.invalidWeight(corpus: 1, weight: "\(weight)")) {
        try loader([corpora[0], WeightedSequences(large, weight: weight)])
      }
    }
    let one = BatchPosition(corpora: [.init(epoch: 0, index: 0, blocks: small.count)])
    #expect(throws: PackingError.self) { try loader(corpora, at: one) }
    #expect(throws: PackingError.self) { try loader([corpora[1]], at: one) }
    let beyond = BatchPosition(corpora: [.init(epoch: 0, index: small.count, blocks: small.count)])
    #expect(throws: PackingError.self) { try loader([corpora[0]], at: beyond) }
    let foreign = try ShardFixture([Array(0..<64)], sizes: [1], tokenizerHash: "other")
    let blocks = try foreign.blocks(chunkSize: 4, sequenceChunks: 8)
    #expect(throws: PackingError.self) { try loader([corpora[0], WeightedSequences(blocks)]) }
  }

  @Test("a damaged shard is told of when its blocks come, and again at every further call")
  func damagedShard() throws {
    let fixture = try ShardFixture([[Int32](repeating: 5, count: 40_000)], sizes: [1])
    let path = fixture.shards[0].path
    var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[300] ^= 1
    try fixture.folder.write(bytes, to: "bad.calmtokens")
    let shard = try TokenShard(path: fixture.folder("bad.calmtokens"))
    let blocks = try PackedSequences(shards: [shard], chunkSize: 4, sequenceChunks: 2_000)
    let loader = try BatchLoader([WeightedSequences(blocks)], batchSize: blocks.count, seed: 0)
    for _ in 0..<2 { #expect(throws: TokenShardError.self) { try loader.next() } }
    #expect(loader.waitSeconds > 0)
  }
}

/// A block that can stand in a set.
private struct Row: Hashable {
  var ids: [Int32]
  var documents: [Int32]

  init(ids: [Int32], documents: [Int32]) { (self.ids, self.documents) = (ids, documents) }

  init(_ block: TokenSequence) { self.init(ids: block.ids, documents: block.documents) }
}

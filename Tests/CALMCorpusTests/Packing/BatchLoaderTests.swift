import CALMCorpus
import Foundation
import Testing

@Suite("Batch loader")
struct BatchLoaderTests {
  private let small: PackedSequences
  private let large: PackedSequences
  private let fixtures: [ShardFixture]

  init() throws {
    fixtures = [try .random(documents: 60, seed: 21), try .random(documents: 400, seed: 22)]
    small = try fixtures[0].sequences(chunkSize: 4, sequenceChunks: 8)
    large = try fixtures[1].sequences(chunkSize: 4, sequenceChunks: 8)
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

  @Test("Each epoch of a batch loader contains every sequence once, in a new order")
  func epochs() throws {
    let loader = try BatchLoader([WeightedSequences(large)], batchSize: 1, seed: 5)
    let first = rows(try batches(large.count, of: loader))
    #expect(loader.position.corpora[0] == .init(epoch: 1, index: 0, sequences: large.count))
    let second = rows(try batches(large.count, of: loader))
    let all = try (0..<large.count).map { try large.sequence($0).ids }
    func sorted(_ rows: [[Int32]]) -> [[Int32]] { rows.sorted { $0.lexicographicallyPrecedes($1) } }
    #expect(sorted(first) == sorted(all))
    #expect(sorted(second) == sorted(all))
    #expect(first != second && first != all)
  }

  @Test("Each row of a batch contains the ids and documents of one sequence")
  func rowsAreSequences() throws {
    let corpora = [small, large]
    let loader = try BatchLoader(corpora.map { WeightedSequences($0) }, batchSize: 6, seed: 5)
    let known = try corpora.map { corpus in Set(try (0..<corpus.count).map { try corpus.sequence($0) }.map(Row.init)) }
    for batch in try batches(20, of: loader) {
      #expect(batch.ids.count == 6 * 32 && batch.documents.count == 6 * 8 && batch.rows == 6)
      for row in 0..<6 {
        let one = Row(
          ids: Array(batch.ids[row * 32..<row * 32 + 32]), documents: Array(batch.documents[row * 8..<row * 8 + 8]))
        #expect(known[batch.corpora[row]].contains(one))
      }
    }
  }

  @Test(
    "A batch loader resumed from a saved position continues identically after any batch", arguments: [1, 3, 10, 37])
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

  @Test("The rows of all ranks, concatenated, are the batch of a single process", arguments: [2, 3, 4, 12])
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

  @Test("A position saved with one world size and batch size resumes with others")
  func changedWorldSize() throws {
    let corpora = [WeightedSequences(small), WeightedSequences(large)]
    let whole = rows(try batches(24, of: BatchLoader(corpora, batchSize: 4, seed: 2)))
    let two = try BatchLoader(corpora, batchSize: 4, seed: 2, rank: 1, worldSize: 2)
    _ = try batches(6, of: two)
    let other = try BatchLoader(corpora, batchSize: 12, seed: 2, startingAt: two.position)
    #expect(rows(try batches(6, of: other)) == Array(whole[24...]))
  }

  @Test("The number of samples from each corpus always matches its weight to within one sequence")
  func weights() throws {
    let weights = [5.0, 2.5, 2.5]
    let corpora = zip([small, large, large], weights).map { WeightedSequences($0, weight: $1) }
    let loader = try BatchLoader(corpora, batchSize: 1, seed: 4)
    var taken = [0.0, 0.0, 0.0]
    for total in 1...2_000 {
      taken[try loader.next().corpora[0]] += 1
      for corpus in 0..<3 { #expect(abs(taken[corpus] - Double(total) * weights[corpus] / 10) <= 1) }
    }
  }

  @Test("A batch loader rejects corpora, weights, batch sizes and positions that do not fit together")
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
    let one = BatchPosition(corpora: [.init(epoch: 0, index: 0, sequences: small.count)])
    #expect(throws: PackingError.self) { try loader(corpora, at: one) }
    #expect(throws: PackingError.self) { try loader([corpora[1]], at: one) }
    let beyond = BatchPosition(corpora: [.init(epoch: 0, index: small.count, sequences: small.count)])
    #expect(throws: PackingError.self) { try loader([corpora[0]], at: beyond) }
    let foreign = try ShardFixture([Array(0..<64)], sizes: [1], tokenizerHash: "other")
    let sequences = try foreign.sequences(chunkSize: 4, sequenceChunks: 8)
    #expect(throws: PackingError.self) { try loader([corpora[0], WeightedSequences(sequences)]) }
  }

  @Test("A damaged shard causes an error when its sequences are read, and at every further call")
  func damagedShard() throws {
    let fixture = try ShardFixture([[Int32](repeating: 5, count: 40_000)], sizes: [1])
    let path = fixture.shards[0].path
    var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[300] ^= 1
    try fixture.folder.write(bytes, to: "bad.calmtokens")
    let shard = try TokenShard(path: fixture.folder("bad.calmtokens"))
    let sequences = try PackedSequences(shards: [shard], chunkSize: 4, sequenceChunks: 2_000)
    let loader = try BatchLoader([WeightedSequences(sequences)], batchSize: sequences.count, seed: 0)
    for _ in 0..<2 { #expect(throws: TokenShardError.self) { try loader.next() } }
    #expect(loader.waitSeconds > 0)
  }
}

/// A hashable sequence.
private struct Row: Hashable {
  var ids: [Int32]
  var documents: [Int32]

  init(ids: [Int32], documents: [Int32]) { (self.ids, self.documents) = (ids, documents) }

  init(_ sequence: TokenSequence) { self.init(ids: sequence.ids, documents: sequence.documents) }
}

import CALMCorpus
import Foundation
import Testing

/// Shards on disk with their documents.
struct ShardFixture {
  static let endOfText: Int32 = 999
  static let padding: Int32 = 998

  let folder: ScratchFolder
  let documents: [[Int32]]
  let shards: [TokenShard]

  /// Writes `documents` to shards; `sizes` contains the number of documents in each shard.
  init(_ documents: [[Int32]], sizes: [Int], tokenizerHash: String = "h") throws {
    folder = try ScratchFolder()
    self.documents = documents
    var rest = documents[...]
    var shards: [TokenShard] = []
    for (index, size) in sizes.enumerated() {
      let path = folder("\(index).calmtokens")
      let vocabulary = TokenVocabulary(tokenizerHash: tokenizerHash, size: 1_000, endOfText: Self.endOfText)
      let writer = try TokenShardWriter(path: path, vocabulary: vocabulary)
      for document in rest.prefix(size) { try writer.append(document) }
      try writer.finish()
      rest = rest.dropFirst(size)
      shards.append(try TokenShard(path: path))
    }
    self.shards = shards
  }

  /// Random documents, some empty and some long, in four shards, one of which is empty.
  static func random(documents count: Int = 400, seed: UInt64) throws -> ShardFixture {
    var generator = TestGenerator(seed: seed)
    let documents = (0..<count).map { _ in
      let longest = Int.random(in: 0..<10, using: &generator) == 0 ? 500 : 12
      return (0..<Int.random(in: 0...longest, using: &generator)).map { _ in
        Int32.random(in: 0..<900, using: &generator)
      }
    }
    return try ShardFixture(documents, sizes: [count / 4, 0, count / 2, count - count / 4 - count / 2])
  }

  /// The definition of packing: all chunks in order, with their documents.
  func chunks(of size: Int) -> [(ids: [Int32], document: Int32)] {
    documents.enumerated().flatMap { index, tokens in
      var ids = tokens + [Self.endOfText]
      while ids.count % size != 0 { ids.append(Self.padding) }
      return stride(from: 0, to: ids.count, by: size).map { (Array(ids[$0..<$0 + size]), Int32(index)) }
    }
  }

  func sequences(
    chunkSize: Int, sequenceChunks: Int, remainder: PackedSequences.Remainder = .dropped
  ) throws -> PackedSequences {
    try PackedSequences(
      shards: shards, chunkSize: chunkSize, sequenceChunks: sequenceChunks, padding: Self.padding, remainder: remainder)
  }
}

@Suite("Packed sequences")
struct PackedSequencesTests {
  @Test("Packed sequences contain every token in order for every chunk size", arguments: [1, 2, 3, 4, 5, 8, 16, 64])
  func allChunkSizes(chunkSize: Int) throws {
    let fixture = try ShardFixture.random(seed: UInt64(chunkSize))
    let expected = fixture.chunks(of: chunkSize)
    for sequenceChunks in [1, 2, 7, 16] {
      let sequences = try fixture.sequences(chunkSize: chunkSize, sequenceChunks: sequenceChunks)
      #expect(sequences.chunkCount == expected.count)
      #expect(sequences.count == expected.count / sequenceChunks)
      // In reverse order, so that no sequence can depend on the previous one.
      for index in (0..<sequences.count).reversed() {
        let chunks = expected[index * sequenceChunks..<(index + 1) * sequenceChunks]
        let sequence = try sequences.sequence(index)
        #expect(sequence.ids == chunks.flatMap(\.ids))
        #expect(sequence.documents == chunks.map(\.document))
      }
    }
  }

  @Test("The last incomplete sequence is dropped or padded, as requested")
  func remainder() throws {
    let fixture = try ShardFixture.random(seed: 3)
    let expected = fixture.chunks(of: 4)
    let sequenceChunks = expected.count / 3 - 1
    let left = expected.count - 3 * sequenceChunks
    #expect(left > 0 && left < sequenceChunks)
    #expect(try fixture.sequences(chunkSize: 4, sequenceChunks: sequenceChunks).count == 3)
    let padded = try fixture.sequences(chunkSize: 4, sequenceChunks: sequenceChunks, remainder: .padded)
    #expect(padded.count == 4)
    let last = try padded.sequence(3)
    let filling = sequenceChunks - left
    let padding = [Int32](repeating: ShardFixture.padding, count: filling * 4)
    #expect(last.ids == expected.suffix(left).flatMap(\.ids) + padding)
    #expect(last.documents.suffix(filling).allSatisfy { $0 == PackedSequences.noDocument })
  }

  @Test("The default padding id of packed sequences is the end-of-text id")
  func defaultPadding() throws {
    let fixture = try ShardFixture([[1, 2]], sizes: [1])
    let sequence = try PackedSequences(shards: fixture.shards, chunkSize: 4, sequenceChunks: 1).sequence(0)
    #expect(sequence.ids == [1, 2, ShardFixture.endOfText, ShardFixture.endOfText])
  }

  @Test("The error for text that is too short for one sequence contains both sizes")
  func tooSmall() throws {
    let fixture = try ShardFixture([[1, 2, 3], [4, 5, 6, 7, 8]], sizes: [2])
    #expect(throws: PackingError.tooSmall(tokens: 12, needed: 16)) {
      try fixture.sequences(chunkSize: 4, sequenceChunks: 4)
    }
    #expect(try fixture.sequences(chunkSize: 4, sequenceChunks: 4, remainder: .padded).count == 1)
    #expect(throws: PackingError.noDocuments) { try PackedSequences(shards: [], chunkSize: 4, sequenceChunks: 1) }
    #expect(throws: PackingError.noDocuments) {
      try ShardFixture([], sizes: [0]).sequences(chunkSize: 4, sequenceChunks: 1)
    }
  }

  @Test("Shards with different tokenizers cannot be packed together")
  func mixedTokenizers() throws {
    let one = try ShardFixture([[1]], sizes: [1])
    let other = try ShardFixture([[1]], sizes: [1], tokenizerHash: "other")
    #expect(throws: PackingError.tokenizerMismatch(path: other.shards[0].path, other: one.shards[0].path)) {
      try PackedSequences(shards: one.shards + other.shards, chunkSize: 1, sequenceChunks: 1)
    }
  }
}

import CALMCorpus
import Foundation
import Testing

/// Shards on the disk with the documents they were made from.
struct ShardFixture {
  static let endOfText: Int32 = 999
  static let padding: Int32 = 998

  let folder: ScratchFolder
  let documents: [[Int32]]
  let shards: [TokenShard]

  /// Writes `documents` into as many shards as `sizes` has entries, each with so many documents.
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

  /// Random documents, some of them empty, some long, in four shards of which one is empty.
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

  /// The definition of packing: all chunks, one after another, with their documents.
  func chunks(of size: Int) -> [(ids: [Int32], document: Int32)] {
    documents.enumerated().flatMap { index, tokens in
      var ids = tokens + [Self.endOfText]
      while ids.count % size != 0 { ids.append(Self.padding) }
      return stride(from: 0, to: ids.count, by: size).map { (Array(ids[$0..<$0 + size]), Int32(index)) }
    }
  }

  func blocks(
    chunkSize: Int, sequenceChunks: Int, remainder: PackedSequences.Remainder = .dropped
  ) throws -> PackedSequences {
    try PackedSequences(
      shards: shards, chunkSize: chunkSize, sequenceChunks: sequenceChunks, padding: Self.padding, remainder: remainder)
  }
}

@Suite("Packing documents into blocks")
struct PackedBlocksTests {
  @Test("the same shards give every token in order for every chunk size", arguments: [1, 2, 3, 4, 5, 8, 16, 64])
  func allChunkSizes(chunkSize: Int) throws {
    let fixture = try ShardFixture.random(seed: UInt64(chunkSize))
    let expected = fixture.chunks(of: chunkSize)
    for sequenceChunks in [1, 2, 7, 16] {
      let blocks = try fixture.blocks(chunkSize: chunkSize, sequenceChunks: sequenceChunks)
      #expect(blocks.chunkCount == expected.count)
      #expect(blocks.count == expected.count / sequenceChunks)
      // Backwards, so that no block can lean on the one before it.
      for index in (0..<blocks.count).reversed() {
        let chunks = expected[index * sequenceChunks..<(index + 1) * sequenceChunks]
        let block = try blocks.block(index)
        #expect(block.ids == chunks.flatMap(\.ids))
        #expect(block.documents == chunks.map(\.document))
      }
    }
  }

  @Test("the last block is left out or filled up, as wished")
  func remainder() throws {
    let fixture = try ShardFixture.random(seed: 3)
    let expected = fixture.chunks(of: 4)
    let sequenceChunks = expected.count / 3 - 1
    let left = expected.count - 3 * sequenceChunks
    #expect(left > 0 && left < sequenceChunks)
    #expect(try fixture.blocks(chunkSize: 4, sequenceChunks: sequenceChunks).count == 3)
    let padded = try fixture.blocks(chunkSize: 4, sequenceChunks: sequenceChunks, remainder: .padded)
    #expect(padded.count == 4)
    let last = try padded.block(3)
    let filling = sequenceChunks - left
    let padding = [Int32](repeating: ShardFixture.padding, count: filling * 4)
    #expect(last.ids == expected.suffix(left).flatMap(\.ids) + padding)
    #expect(last.documents.suffix(filling).allSatisfy { $0 == PackedSequences.noDocument })
  }

  @Test("padding is the end of text unless told otherwise")
  func defaultPadding() throws {
    let fixture = try ShardFixture([[1, 2]], sizes: [1])
    let block = try PackedSequences(shards: fixture.shards, chunkSize: 4, sequenceChunks: 1).block(0)
    #expect(block.ids == [1, 2, ShardFixture.endOfText, ShardFixture.endOfText])
  }

  @Test("too little for one block says how much there is and how much it takes")
  func tooSmall() throws {
    let fixture = try ShardFixture([[1, 2, 3], [4, 5, 6, 7, 8]], sizes: [2])
    #expect(throws: PackingError.tooSmall(tokens: 12, needed: 16)) {
      try fixture.blocks(chunkSize: 4, sequenceChunks: 4)
    }
    #expect(try fixture.blocks(chunkSize: 4, sequenceChunks: 4, remainder: .padded).count == 1)
    #expect(throws: PackingError.noDocuments) { try PackedSequences(shards: [], chunkSize: 4, sequenceChunks: 1) }
    #expect(throws: PackingError.noDocuments) {
      try ShardFixture([], sizes: [0]).blocks(chunkSize: 4, sequenceChunks: 1)
    }
  }

  @Test("shards of different tokenizers do not mix")
  func mixedTokenizers() throws {
    let one = try ShardFixture([[1]], sizes: [1])
    let other = try ShardFixture([[1]], sizes: [1], tokenizerHash: "other")
    #expect(throws: PackingError.tokenizerMismatch(path: other.shards[0].path, other: one.shards[0].path)) {
      try PackedSequences(shards: one.shards + other.shards, chunkSize: 1, sequenceChunks: 1)
    }
  }
}

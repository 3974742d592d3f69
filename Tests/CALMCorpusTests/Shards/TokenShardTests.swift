import CALMCorpus
import Foundation
import Testing

@Suite("Token shards")
struct TokenShardTests {
  private static func vocabulary(_ size: Int = 1_000) -> TokenVocabulary {
    TokenVocabulary(tokenizerHash: "sha256:abc", size: size, endOfText: 3)
  }

  private func write(_ documents: [[Int32]], to path: String, vocabulary: TokenVocabulary = vocabulary()) throws {
    let writer = try TokenShardWriter(path: path, vocabulary: vocabulary)
    for document in documents { try writer.append(document) }
    try writer.finish()
  }

  private func randomDocuments(_ count: Int, vocabularySize: Int, longest: Int, seed: UInt64) -> [[Int32]] {
    var generator = TestGenerator(seed: seed)
    return (0..<count).map { _ in
      (0..<Int.random(in: 0...longest, using: &generator)).map { _ in
        Int32.random(in: 0..<Int32(vocabularySize), using: &generator)
      }
    }
  }

  @Test(
    "A token shard returns the documents written to it, for both id widths",
    arguments: [2, 1_000, 65_536, 65_537, 200_000])
  func roundTrip(vocabularySize: Int) throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    let vocabulary = TokenVocabulary(tokenizerHash: "h", size: vocabularySize, endOfText: 1)
    // Enough for several checksum blocks, including empty documents.
    let documents =
      [[]] + randomDocuments(300, vocabularySize: vocabularySize, longest: 1_000, seed: 5)
      + [[Int32(vocabularySize - 1)], []]
    try write(documents, to: path, vocabulary: vocabulary)
    let shard = try TokenShard(path: path, tokenizerHash: "h")
    #expect(shard.vocabulary == vocabulary)
    #expect(shard.documentCount == documents.count)
    #expect(shard.tokenCount == documents.reduce(0) { $0 + $1.count })
    for (index, document) in documents.enumerated() { #expect(try shard.tokens(ofDocument: index) == document) }
    try shard.verify()
  }

  @Test("A token shard may be empty")
  func empty() throws {
    let folder = try ScratchFolder()
    try write([], to: folder("a.calmtokens"))
    let shard = try TokenShard(path: folder("a.calmtokens"))
    #expect(shard.documentCount == 0 && shard.tokenCount == 0)
  }

  @Test("A token shard appears under its name only when it is finished")
  func unfinished() throws {
    let folder = try ScratchFolder()
    do {
      let writer = try TokenShardWriter(path: folder("a.calmtokens"), vocabulary: Self.vocabulary())
      try writer.append([1, 2, 3])
      #expect(try folder.names().allSatisfy { $0.hasPrefix(".") })
    }
    #expect(try folder.names().isEmpty)
  }

  @Test("A token shard rejects ids outside the vocabulary", arguments: [-1, 1_000, .min, .max] as [Int32])
  func outsideVocabulary(token: Int32) throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    let writer = try TokenShardWriter(path: path, vocabulary: Self.vocabulary())
    #expect(throws: TokenShardError.tokenOutsideVocabulary(path: path, token: token, vocabularySize: 1_000)) {
      try writer.append([0, token])
    }
  }

  @Test("A change of any single byte of a token shard causes an error")
  func everyByteFlipped() throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    try write(randomDocuments(9, vocabularySize: 1_000, longest: 40, seed: 2), to: path)
    let good = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    for index in good.indices {
      var bad = good
      bad[index] ^= 1 << UInt8(index % 8)
      try folder.write(bad, to: "a.calmtokens")
      #expect(throws: TokenShardError.self, "byte \(index)") { try TokenShard(path: path).verify() }
    }
  }

  @Test("A token shard of any wrong length causes an error")
  func everyLength() throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    try write([[1, 2, 3], [4]], to: path)
    let good = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    for size in 0..<good.count {
      try folder.write(good.prefix(size), to: "a.calmtokens")
      let expected: TokenShardError =
        size < 8
        ? .notAShard(path: path) : .truncated(path: path, size: size, expected: size < 256 ? 256 : good.count)
      #expect(throws: expected) { try TokenShard(path: path) }
    }
    try folder.write(good + [0], to: "a.calmtokens")
    #expect(throws: TokenShardError.oversized(path: path, size: good.count + 1, expected: good.count)) {
      try TokenShard(path: path)
    }
  }

  @Test("Reading a damaged checksum block of a token shard causes an error, and the other blocks remain readable")
  func damagedBlock() throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    // A document fills exactly one checksum block of 65,536 bytes.
    let document = [Int32](repeating: 7, count: 32_768)
    try write([document, document, document], to: path)
    var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[256 + 65_536 + 1_000] ^= 0x10
    try folder.write(bytes, to: "a.calmtokens")
    let shard = try TokenShard(path: path)
    let error = TokenShardError.damagedBlock(path: path, block: 1, bytes: 256 + 65_536..<256 + 2 * 65_536)
    #expect(try shard.tokens(ofDocument: 0) == document)
    #expect(throws: error) { try shard.tokens(ofDocument: 1) }
    #expect(throws: error) { try shard.tokens(ofDocument: 1) }
    #expect(try shard.tokens(ofDocument: 2) == document)
    #expect(throws: error) { try shard.verify() }
  }

  @Test("Missing files, other files, other tokenizers and other versions cause different token shard errors")
  func otherErrors() throws {
    let folder = try ScratchFolder()
    let text = try folder.write("This is a file, but not a token shard.", to: "a.calmtokens")
    #expect(throws: TokenShardError.notAShard(path: text)) { try TokenShard(path: text) }
    let missing = folder("no.calmtokens")
    #expect(throws: TokenShardError.unreadable(path: missing, reason: "No such file or directory")) {
      try TokenShard(path: missing)
    }
    #expect(throws: TokenShardError.unreadable(path: folder.path, reason: "not a regular file")) {
      try TokenShard(path: folder.path)
    }
    let path = folder("b.calmtokens")
    try write([[1]], to: path)
    #expect(throws: TokenShardError.tokenizerMismatch(path: path, shard: "sha256:abc", expected: "other")) {
      try TokenShard(path: path, tokenizerHash: "other")
    }
    var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[8] = 3
    try folder.write(bytes, to: "b.calmtokens")
    #expect(throws: TokenShardError.unsupportedVersion(path: path, version: 3)) { try TokenShard(path: path) }
    let hash = String(repeating: "x", count: 193)
    #expect(throws: TokenShardError.tokenizerHashTooLong(path: path, length: 193, limit: 192)) {
      try TokenShardWriter(path: path, vocabulary: TokenVocabulary(tokenizerHash: hash, size: 9, endOfText: 0))
    }
  }

  @Test("Several threads can read a token shard at once")
  func threads() async throws {
    let folder = try ScratchFolder()
    let path = folder("a.calmtokens")
    let documents = randomDocuments(400, vocabularySize: 1_000, longest: 2_000, seed: 9)
    try write(documents, to: path)
    let shard = try TokenShard(path: path)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for offset in 0..<4 {
        group.addTask {
          try (0..<400).allSatisfy { index in
            let document = (index * 7 + offset * 100) % 400
            return try shard.tokens(ofDocument: document) == documents[document]
          }
        }
      }
      for try await good in group { #expect(good) }
    }
  }
}

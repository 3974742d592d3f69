import CALMCorpus
import Foundation
import Testing

@Suite("Prompts")
struct PromptTests {
  private static let vocabulary = TokenVocabulary(tokenizerHash: "bytes", size: 257, endOfText: 256)

  /// JSON Lines prepared with a tokenizer whose tokens are bytes.
  private func prepare(_ lines: String, in folder: ScratchFolder) throws -> TokenDataSet {
    let file = folder("tasks.jsonl")
    try Data(lines.utf8).write(to: URL(fileURLWithPath: file))
    let options = CorpusOptions(textField: "completion", promptField: "prompt")
    var preparation = DataPreparation(vocabulary: Self.vocabulary, createdBy: "tests")
    preparation.validationFraction = 0
    preparation.hasPrompts = true
    _ = try preparation.run(
      try CorpusReader(paths: [file], options: options), into: folder("data"), encode: { $0.utf8.map(Int32.init) })
    return try TokenDataSet(path: folder("data"))
  }

  private static let lines = """
    {"prompt": "12345", "completion": "abc"}
    {"completion": "xy", "prompt": ""}
    {"prompt": "1234", "completion": "é"}

    """

  @Test("A shard stores prompt and completion together, with the length of each prompt")
  func shards() throws {
    let folder = try ScratchFolder()
    let shard = try #require(try prepare(Self.lines, in: folder).train.first)
    #expect(shard.hasPrompts)
    #expect((0..<3).map { shard.promptLength(ofDocument: $0) } == [5, 0, 4])
    #expect(try shard.tokens(ofDocument: 0) == "12345abc".utf8.map(Int32.init))
    #expect(try shard.tokens(ofDocument: 2) == "1234é".utf8.map(Int32.init))
    try shard.verify()
  }

  @Test("A chunk is a prediction target unless it lies entirely in a prompt, for every chunk size")
  func targets() throws {
    let folder = try ScratchFolder()
    let shards = try prepare(Self.lines, in: folder).train
    func targets(_ chunkSize: Int) throws -> [Bool] {
      let chunks = [9, 3, 7].map { ($0 + chunkSize - 1) / chunkSize }.reduce(0, +)
      let sequences = try PackedSequences(shards: shards, chunkSize: chunkSize, sequenceChunks: chunks)
      return try #require(try sequences.sequence(0).targets)
    }
    let single = [5, 4, 0, 3, 4, 3]  // prompt, completion with its end, and so on
    #expect(
      try targets(1)
        == single.enumerated().flatMap { Array(repeating: $0 % 2 == 1, count: $1) })
    // 1234 5abc end | xy+end | 1234 é+end
    #expect(try targets(4) == [false, true, true, true, false, true])
    // 12345abc end | xy+end | 1234é+end
    #expect(try targets(8) == [true, true, true, true])
  }

  @Test("Batches contain the targets of their rows, or none if no corpus has prompts")
  func batches() throws {
    let folder = try ScratchFolder()
    let shards = try prepare(Self.lines, in: folder).train
    let sequences = try PackedSequences(shards: shards, chunkSize: 2, sequenceChunks: 3)
    let batch = try BatchLoader([WeightedSequences(sequences)], batchSize: 2, seed: 1).next()
    let targets = try #require(batch.targets)
    #expect(targets.count == 6)
    for row in 0..<2 {
      let ids = Array(batch.ids[row * 6..<(row + 1) * 6])
      let index = try #require(try (0..<sequences.count).first { try sequences.sequence($0).ids == ids })
      #expect(try sequences.sequence(index).targets == Array(targets[row * 3..<(row + 1) * 3]))
    }
    let plain = try ShardFixture.random(seed: 3).sequences(chunkSize: 4, sequenceChunks: 8)
    #expect(try BatchLoader([WeightedSequences(plain)], batchSize: 2, seed: 1).next().targets == nil)
  }

  @Test("The error for a missing prompt field contains the line, and plain text cannot have prompts")
  func errors() throws {
    let folder = try ScratchFolder()
    #expect {
      try prepare("{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"completion\": \"b\"}\n", in: folder)
    } throws: { error in
      "\(error)".contains("tasks.jsonl:2:") && "\(error)".contains("\"prompt\"")
    }
    let text = folder("plain.txt")
    try Data("text".utf8).write(to: URL(fileURLWithPath: text))
    let reader = try CorpusReader(paths: [text], options: CorpusOptions(textField: "c", promptField: "p"))
    #expect(throws: CorpusError.noPrompts(path: text)) { try reader.next() }
  }
}

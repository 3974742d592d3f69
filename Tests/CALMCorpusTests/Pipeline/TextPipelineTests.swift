import CALMCorpus
import CALMSupport
import CALMTokenizer
import Foundation
import Testing

@Suite("Text pipeline") struct TextPipelineTests {
  private static let texts = (0..<40).map { "The cat sat on mat \($0), and the dog ran off." }

  private func source() -> TextSequence<[String]> { TextSequence(Self.texts, name: "texts") }

  @Test("A pipeline converts text to a data set with its tokenizer, and the data set to padded sequences")
  func wholePipeline() throws {
    let folder = try ScratchFolder()
    let tokenizer = try TextPipeline.trainTokenizer(vocabularySize: 300, on: source())
    var pipeline = try TextPipeline(tokenizer, createdBy: "tests")
    pipeline.preparation.validationFraction = 0
    let manifest = try pipeline.prepare(source(), into: folder("data"))
    #expect(manifest.sources == ["texts"] && manifest.train.documents == Self.texts.count)
    let data = try TokenDataSet(path: folder("data"), tokenizerHash: tokenizer.contentHash)
    let stored = try Tokenizer(contentsOf: URL(fileURLWithPath: folder("data/tokenizer.json")))
    #expect(stored.contentHash == tokenizer.contentHash)
    for (index, text) in Self.texts.enumerated() {
      #expect(try data.train[0].tokens(ofDocument: index) == tokenizer.encode(text))
    }
    let sequences = try pipeline.sequences(
      of: data.train, chunkSize: 3, sequenceChunks: 8, remainder: .padded)
    #expect(sequences.padding == tokenizer.padToken && sequences.sequenceTokens == 24)
    #expect(sequences.chunkCount == Self.texts.reduce(0) { $0 + (tokenizer.encode($1).count + 1 + 2) / 3 })
    #expect(try pipeline.sequences(of: data.train, chunkSize: 3, sequenceChunks: 8, padding: 7).padding == 7)
  }

  @Test("A tokenizer without an end-of-text token requires an explicit one")
  func endOfText() throws {
    var trainer = try BPETrainer(vocabularySize: 256, specialTokens: [])
    trainer.add("a")
    let tokenizer = try trainer.train()
    #expect(throws: DataSetError.noEndToken("here")) { try TextPipeline(tokenizer, at: "here", createdBy: "tests") }
    #expect(try TextPipeline(tokenizer, endOfText: 3, createdBy: "tests").preparation.vocabulary.endOfText == 3)
  }

  @Test("A sequence of texts skips empty ones and counts bytes and documents")
  func textSequence() {
    let source = TextSequence(["a", "", "bc"], name: "texts", totalBytes: 3)
    #expect(source.next() == Document(text: "a", source: "texts", line: 1, ordinal: 0))
    #expect(source.next() == Document(text: "bc", source: "texts", line: 3, ordinal: 1))
    #expect(source.next() == nil)
    #expect(source.progress == CorpusProgress(bytesRead: 3, totalBytes: 3, documents: 2))
  }

  @Test("Written JSON lines are read back as the same texts")
  func jsonLines() throws {
    let folder = try ScratchFolder()
    let texts = ["one\ntwo", "\"quoted\" / \\", "é 🐈"]
    let bytes = try JSONLinesWriter.write(TextSequence(texts, name: "texts"), to: folder("text.jsonl"))
    #expect(bytes == texts.reduce(0) { $0 + $1.utf8.count })
    let reader = try CorpusReader(paths: [folder("text.jsonl")])
    var read: [String] = []
    while let document = try reader.next() { read.append(document.text) }
    #expect(read == texts)
  }

  @Test("JSON lines in a missing folder are an error that names the file")
  func missingFolder() throws {
    let path = try ScratchFolder()("no/text.jsonl")
    let error = try #require(throws: FileError.self) { try JSONLinesWriter.write(source(), to: path) }
    #expect(error.path == path)
  }
}

import CALMCorpus
import Foundation
import Testing

@Suite("Joining the parts of a data set")
struct DataPartJoinTests {
  private static func line(_ number: Int) -> String {
    "document \(number) " + String(repeating: "x", count: number * number % 90)
  }

  /// Two text files of different sizes and a small one.
  private func text() throws -> PartedCorpus {
    let folder = try ScratchFolder()
    let paths = try [(0..<400), (400..<1_000), (1_000..<1_003)].enumerated().map { index, numbers in
      try folder.write(numbers.map { Self.line($0) + "\n" }.joined(), to: "text/\(index).txt")
    }
    return PartedCorpus(folder: folder, paths: paths) { $0.tokensPerShard = 7_000 }
  }

  /// JSON lines with malformed lines, empty documents, escapes and broken UTF-8, in two files.
  private func lines() throws -> PartedCorpus {
    let folder = try ScratchFolder()
    func bytes(_ numbers: Range<Int>) -> [UInt8] {
      numbers.flatMap { number -> [UInt8] in
        switch number % 10 {
        case 3: Array("not JSON\n".utf8)
        case 5: Array("{\"text\": \"\"}\n".utf8)
        case 7: Array("{\"text\": \"\\u00e9 \(number) ".utf8) + [0xFF] + Array("\"}\n".utf8)
        default: Array("{\"id\": \(number), \"text\": \"\(Self.line(number))\"}\n".utf8)
        }
      }
    }
    let paths = try [folder.write(bytes(0..<700), to: "a.jsonl"), folder.write(bytes(700..<900), to: "b.jsonl")]
    return PartedCorpus(folder: folder, paths: paths, options: CorpusOptions(lossy: true, skipMalformed: true))
  }

  /// Checks that the parts make the data set that one preparation makes, whatever their number.
  private func expectSameBytes(_ corpus: PartedCorpus, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let whole = try corpus.prepareWhole()
    for count in [1, 2, 3, 5] {
      let join = try DataPartJoin(folders: corpus.prepareParts(count))
      let manifest = try join.run(into: corpus.folder("joined-\(count)"))
      #expect(manifest == whole, "\(count) parts", sourceLocation: sourceLocation)
      let files = try (joined: corpus.contents("joined-\(count)"), whole: corpus.contents("whole"))
      #expect(files.joined.keys.sorted() == files.whole.keys.sorted(), sourceLocation: sourceLocation)
      #expect(files.joined == files.whole, "\(count) parts", sourceLocation: sourceLocation)
    }
  }

  @Test("Parts of several text files, joined, are byte for byte the data set without parts.")
  func textFiles() throws {
    let corpus = try text()
    try expectSameBytes(corpus)
    let manifest = try TokenDataSet(path: corpus.folder("joined-3")).manifest
    #expect(manifest.train.shards.count > 3 && manifest.validation.documents > 50)
    #expect(manifest.sources == corpus.paths)
  }

  @Test("Parts of JSON lines with skipped lines and repaired documents are those without parts, counts included.")
  func jsonLines() throws {
    let corpus = try lines()
    try expectSameBytes(corpus)
    let manifest = try TokenDataSet(path: corpus.folder("joined-5")).manifest
    #expect(manifest.skippedLines == 90 && manifest.repairedDocuments == 90)
  }

  @Test("Parts of compressed files are those without parts.", .enabled(if: Programs.hasGzip && Programs.hasZstandard))
  func compressedFiles() throws {
    var corpus = try lines()
    #expect(try corpus.folder.shell("gzip a.jsonl && zstd -q --rm b.jsonl"))
    corpus.paths = [corpus.folder("a.jsonl.gz"), corpus.folder("b.jsonl.zst")]
    try expectSameBytes(corpus)
  }

  @Test("Parts of a folder, of whole files as documents and of paragraphs are those without parts.")
  func documentUnits() throws {
    var corpus = try text()
    corpus.options.documentUnit = .file
    corpus.paths = [corpus.folder("text")]
    try expectSameBytes(corpus)
    let other = try ScratchFolder()
    let path = try other.write((0..<100).map { Self.line($0) + "\nnext line\n\n\n" }.joined(), to: "paragraphs.txt")
    try expectSameBytes(
      PartedCorpus(folder: other, paths: [path], options: CorpusOptions(documentUnit: .paragraphs)))
  }

  @Test("Parts of prompts with completions are those without parts.")
  func prompts() throws {
    let folder = try ScratchFolder()
    let path = try folder.write(
      (0..<200).map { "{\"q\": \"\(Self.line($0 % 9))\", \"a\": \"\(Self.line($0))\"}\n" }.joined(), to: "a.jsonl")
    let options = CorpusOptions(textField: "a", promptField: "q")
    try expectSameBytes(PartedCorpus(folder: folder, paths: [path], options: options) { $0.hasPrompts = true })
  }

  @Test("Parts without documents are joined like others, but not if all are empty.")
  func emptyParts() throws {
    let folder = try ScratchFolder()
    let corpus = PartedCorpus(folder: folder, paths: [try folder.write("one\ntwo\n", to: "a.txt")])
    try expectSameBytes(corpus)
    let counts = try (1...5).map { try DataPartManifest(path: folder("part-\($0)-of-5")).content.documents }
    #expect(counts.contains(0) && counts.reduce(0, +) == 2)

    let other = try ScratchFolder()
    try other.write("\n\n", to: "blank/a.txt")
    let join = try DataPartJoin(folders: PartedCorpus(folder: other, paths: [other("blank")]).prepareParts(2))
    #expect(throws: DataSetError.noDocuments) { try join.run(into: other("joined")) }
    #expect(!FileManager.default.fileExists(atPath: other("joined")))
  }

  @Test("Each document is in one part, and a part's share of the bytes is 1/N within a few standard deviations.")
  func balance() throws {
    let corpus = try text()
    let whole = try corpus.prepareWhole()
    let total = whole.train.bytes + whole.validation.bytes
    let parts = try corpus.prepareParts(5).map { try DataPartManifest(path: $0).content }
    #expect(parts.reduce(0) { $0 + $1.documents } == 1_003)
    #expect(parts.reduce(0) { $0 + $1.bytes } == total)
    // 1,003 documents of at most 104 bytes: a binomial count of mean 200.6 and standard deviation 12.7, whose bytes
    // deviate by less than 7 % of the mean per standard deviation. The assignment is fixed, not random.
    #expect(parts.allSatisfy { abs(Double($0.bytes) * 5 / Double(total) - 1) < 0.3 })
  }

  @Test("A file within the range of one part is read by no other.")
  func filesOfOtherParts() throws {
    let folder = try ScratchFolder()
    let paths = try (0..<4).map { try folder.write(String(repeating: "text\n", count: 50), to: "\($0).txt") }
    let corpus = PartedCorpus(folder: folder, paths: paths)
    for number in 1...4 {
      let files = try DataPartManifest(path: corpus.preparePart(number, of: 4)).files
      #expect(files.map(\.documents) == (1...4).map { $0 == number ? 50 : nil })
    }
  }
}

import CALMCorpus
import Foundation
import Testing

@Suite("Parts that cannot be joined")
struct DataPartErrorTests {
  private let folder: ScratchFolder
  private let corpus: PartedCorpus

  init() throws {
    folder = try ScratchFolder()
    let path = try folder.write((0..<60).map { "line \($0)\n" }.joined(), to: "a.txt")
    corpus = PartedCorpus(folder: folder, paths: [path])
  }

  /// Checks that folders cannot be joined and that nothing is written.
  private func expect(_ error: DataPartError, joining folders: [String], _ location: SourceLocation = #_sourceLocation)
    throws
  {
    let before = try folder.names()
    #expect(throws: error, sourceLocation: location) {
      try DataPartJoin(folders: folders).run(into: folder("joined"))
    }
    #expect(try folder.names() == before, sourceLocation: location)
    #expect(!error.description.contains("\n"), sourceLocation: location)
  }

  @Test("Missing and repeated parts are named.")
  func incomplete() throws {
    let parts = try (1...4).map { try corpus.preparePart($0, of: 4) }
    try expect(.missing(numbers: [3], count: 4), joining: [parts[0], parts[1], parts[3]])
    try expect(.missing(numbers: [1, 3], count: 4), joining: [parts[1], parts[3]])
    let copy = try corpus.preparePart(2, of: 4, into: "copy")
    let part = try #require(CorpusPart(2, of: 4))
    try expect(.repeated(part: part, first: copy, second: parts[1]), joining: [parts[0], copy] + parts[1...])
  }

  @Test("Parts of another number, tokenizer, setting or text are refused with the property that differs.")
  func different() throws {
    let first = try corpus.preparePart(1, of: 2)
    func expect(_ property: String, _ value: String, _ expected: String, _ corpus: PartedCorpus, count: Int = 2) throws
    {
      let other = try corpus.preparePart(2, of: count, into: "other")
      try self.expect(
        .different(path: other, other: first, property: property, value: value, otherValue: expected),
        joining: [first, other])
      try FileManager.default.removeItem(atPath: other)
    }
    func changed(_ change: @escaping (inout DataPreparation) -> Void) -> PartedCorpus {
      var other = corpus
      other.change = change
      return other
    }
    try expect("number of parts", "3", "2", corpus, count: 3)
    try expect(
      "tokenizer", "other, 300 ids, end of text 256", "bytes, 257 ids, end of text 256",
      changed { $0.vocabulary = TokenVocabulary(tokenizerHash: "other", size: 300, endOfText: 256) })
    try expect("validation fraction", "0.2", "0.1", changed { $0.validationFraction = 0.2 })
    try expect("seed", "7", "0", changed { $0.seed = 7 })
    try expect("number of tokens per shard", "99", "\(1 << 27)", changed { $0.tokensPerShard = 99 })
    try expect("program", "newer", "tests", changed { $0.createdBy = "newer" })
    var other = corpus
    other.options = CorpusOptions(documentUnit: .lines, lossy: true)
    try expect("replacement of invalid bytes", "on", "off", other)
    other = corpus
    other.paths = [try folder.write("other\n", to: "b.txt")]
    try expect("input file 1", "\(other.paths[0]) of 6 bytes", "\(corpus.paths[0]) of 470 bytes", other)
  }

  @Test("A file that changed between the preparation of two parts is named.")
  func changedFile() throws {
    let first = try corpus.preparePart(1, of: 2)
    try folder.write((0..<47).map { _ in "same size\n" }.joined(), to: "a.txt")
    let second = try corpus.preparePart(2, of: 2)
    try expect(.sourceChanged(name: corpus.paths[0], first: first, second: second), joining: [first, second])
  }

  @Test("Folders that are no finished part are refused.")
  func unfinished() throws {
    let parts = try (1...2).map { try corpus.preparePart($0, of: 2) }
    try corpus.prepareWhole()
    let reason = "no readable part.json"
    try expect(.notAPart(path: folder("whole"), reason: reason), joining: [parts[0], folder("whole")])
    try expect(.notAPart(path: folder("none"), reason: "no such folder"), joining: [parts[0], folder("none")])
    try FileManager.default.removeItem(atPath: parts[1] + "/part.json")
    try expect(.notAPart(path: parts[1], reason: reason), joining: parts)
    try folder.write("{", to: "part-2-of-2/part.json")
    try expect(.notAPart(path: parts[1], reason: "part.json is damaged"), joining: parts)
  }

  @Test("Damaged parts are refused, and nothing is written.")
  func damaged() throws {
    let parts = try (1...2).map { try corpus.preparePart($0, of: 2) }
    let before = try corpus.contents("part-1-of-2")
    for name in before.keys.sorted() where name != "part.json" {
      let data = try #require(before[name])
      // The last byte is part of a checksum table, a size or the tokenizer.
      try folder.write(data.dropLast() + [data.last! ^ 1], to: "part-1-of-2/\(name)")
      #expect(throws: (any Error).self, "\(name)") {
        try DataPartJoin(folders: parts).run(into: folder("joined"))
      }
      #expect(!FileManager.default.fileExists(atPath: folder("joined")))
      try folder.write(data, to: "part-1-of-2/\(name)")
    }
    #expect(before.count == 4)
    _ = try DataPartJoin(folders: parts).run(into: folder("joined"))
  }

  @Test("A join replaces a data set only if allowed, and nothing else; a part replaces only a part.")
  func targets() throws {
    let parts = try corpus.prepareParts(2)
    let join = try DataPartJoin(folders: parts)
    _ = try join.run(into: folder("data"))
    let before = try corpus.contents("data")
    #expect(throws: DataSetError.targetExists(path: folder("data"), isDataSet: true)) {
      try join.run(into: folder("data"))
    }
    #expect(throws: DataSetError.targetExists(path: parts[0], isDataSet: false)) {
      try join.run(into: parts[0], overwrite: true)
    }
    #expect(throws: DataSetError.stopped) {
      try join.run(into: folder("new")) { _ in .stop }
    }
    #expect(!FileManager.default.fileExists(atPath: folder("new")))
    _ = try join.run(into: folder("data"), overwrite: true)
    #expect(try corpus.contents("data") == before)

    #expect(throws: DataPartError.targetExists(path: parts[0], isPart: true)) { try corpus.preparePart(2, of: 2) }
    var replacing = corpus
    replacing.change = { $0.overwrite = true }
    #expect(try replacing.preparePart(2, of: 2) == parts[0])
    #expect(throws: DataPartError.targetExists(path: folder("data"), isPart: false)) {
      try replacing.preparePart(2, of: 2, into: "data")
    }
  }

  @Test("A part is not a data set, and standard input has no parts.")
  func misuse() throws {
    let path = try corpus.preparePart(1, of: 2)
    let part = try #require(CorpusPart(1, of: 2))
    #expect(throws: DataSetError.unjoinedPart(path: path, part: part)) { try TokenDataSet(path: path) }
    #expect(throws: DataPartError.indivisible(source: "standard input")) {
      try CorpusReader(paths: ["-"]).reader(of: part)
    }
  }

  @Test("A part is written as I/N with 1 ≤ I ≤ N.")
  func partNumbers() {
    #expect(CorpusPart("2/5") == CorpusPart(2, of: 5))
    for text in ["0/5", "6/5", "2", "2/", "/5", "2/5/7", "-1/5", "a/b", "1/0", "1/100001", ""] {
      #expect(CorpusPart(text) == nil, "\(text)")
    }
  }
}

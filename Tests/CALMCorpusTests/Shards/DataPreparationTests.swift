import CALMCorpus
import Foundation
import Testing

/// A source with a fixed list of documents.
private final class ListSource: TextSource {
  private let texts: [String]
  private var index = 0
  let names = ["a list"]
  var progress: CorpusProgress { CorpusProgress(documents: index) }

  init(_ texts: [String]) { self.texts = texts }

  func next() throws -> Document? {
    guard index < texts.count else { return nil }
    defer { index += 1 }
    return Document(text: texts[index], source: "a list", line: 1, ordinal: index)
  }
}

@Suite("Data preparation")
struct DataPreparationTests {
  private static let vocabulary = TokenVocabulary(tokenizerHash: "bytes", size: 257, endOfText: 256)
  private static let texts = (0..<3_000).map { "document \($0) " + String(repeating: "x", count: $0 % 50) }

  @Sendable private static func bytes(_ text: String) -> [Int32] { text.utf8.map(Int32.init) }

  private func preparation(_ change: (inout DataPreparation) -> Void = { _ in }) -> DataPreparation {
    var preparation = DataPreparation(vocabulary: Self.vocabulary, createdBy: "tests")
    preparation.validationFraction = 0.1
    change(&preparation)
    return preparation
  }

  /// The decoded texts of a split.
  private func texts(_ split: DataSplit, of folder: String) throws -> [String] {
    try TokenDataSet(path: folder, tokenizerHash: "bytes").shards(split).flatMap { shard in
      try (0..<shard.documentCount).map {
        String(decoding: try shard.tokens(ofDocument: $0).map { UInt8($0) }, as: UTF8.self)
      }
    }
  }

  @Test("Every document of a data set is in exactly one split, in order")
  func splits() throws {
    let folder = try ScratchFolder()
    let manifest = try preparation().run(ListSource(Self.texts), into: folder("data"), encode: Self.bytes)
    let (train, validation) = try (texts(.train, of: folder("data")), texts(.validation, of: folder("data")))
    #expect(Set(train).isDisjoint(with: validation))
    #expect((train + validation).sorted() == Self.texts.sorted())
    let chosen = Set(validation)
    #expect(train == Self.texts.filter { !chosen.contains($0) })
    #expect(validation == Self.texts.filter { chosen.contains($0) })
    // Binomial(2,999, 0.1) has a standard deviation of 16.4; the seed is fixed, and 6 standard deviations are exceeded
    // by 1 seed in 500 million.
    #expect((200...400).contains(validation.count))
    #expect(manifest.train.documents == train.count && manifest.validation.documents == validation.count)
    #expect(manifest.train.bytes == train.reduce(0) { $0 + $1.utf8.count })
    #expect(manifest.train.tokens == manifest.train.bytes)
    #expect(manifest.sources == ["a list"])
  }

  @Test("The split of a data set depends on the seed but not on threads or shard size")
  func stableSplit() throws {
    let folder = try ScratchFolder()
    let changes: [(inout DataPreparation) -> Void] = [
      { _ in }, { ($0.threads, $0.tokensPerShard) = (1, 5_000) }, { $0.seed = 1 },
    ]
    var validation: [[String]] = []
    for (index, change) in changes.enumerated() {
      let path = folder("data\(index)")
      _ = try preparation(change).run(ListSource(Self.texts), into: path, encode: Self.bytes)
      validation.append(try texts(.validation, of: path))
    }
    #expect(validation[0] == validation[1])
    #expect(validation[0] != validation[2])
  }

  @Test("Shards end at the token limit, and validation ends at its maximum number of documents")
  func limits() throws {
    let folder = try ScratchFolder()
    var reported: [String] = []
    let manifest = try preparation { ($0.tokensPerShard, $0.validationMaxDocuments) = (10_000, 5) }
      .run(ListSource(Self.texts), into: folder("data"), encode: Self.bytes) { event in
        if case .wroteShard(let name, _, _) = event { reported.append(name) }
        return .continue
      }
    #expect(manifest.validation.documents == 5)
    let set = try TokenDataSet(path: folder("data"))
    #expect(set.train.count > 5)
    #expect(set.train.dropLast().allSatisfy { (10_000..<10_100).contains($0.tokenCount) })
    #expect(manifest.train.shards.first == "train-00000.calmtokens")
    #expect(reported.sorted() == (manifest.train.shards + manifest.validation.shards).sorted())
    #expect(try folder.names() == ["data"])
  }

  @Test("A data set contains its attachments and a manifest that is read back unchanged")
  func attachments() throws {
    let folder = try ScratchFolder()
    let manifest = try preparation { $0.attachments = ["tokenizer.json": Data("{}".utf8)] }
      .run(ListSource(Self.texts), into: folder("deep/down/data/"), encode: Self.bytes)
    #expect(try String(contentsOfFile: folder("deep/down/data/tokenizer.json"), encoding: .utf8) == "{}")
    #expect(try TokenDataSet(path: folder("deep/down/data")).manifest == manifest)
  }

  @Test("The only document of a data set is used for training")
  func oneDocument() throws {
    let folder = try ScratchFolder()
    let manifest = try preparation { $0.validationFraction = 1 }
      .run(ListSource(["only"]), into: folder("data"), encode: Self.bytes)
    #expect(manifest.train.documents == 1 && manifest.validation.shards.isEmpty)
  }

  @Test("An existing target causes an error unless it is a data set to overwrite")
  func existingTarget() throws {
    let folder = try ScratchFolder()
    let target = folder("data")
    func run(_ texts: [String], overwrite: Bool) throws {
      _ = try preparation { $0.overwrite = overwrite }.run(ListSource(texts), into: target, encode: Self.bytes)
    }
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    try run(["first"], overwrite: false)
    #expect(throws: DataSetError.targetExists(path: target, isDataSet: true)) { try run(["x"], overwrite: false) }
    #expect(try texts(.train, of: target) == ["first"])
    try run(["second"], overwrite: true)
    #expect(try texts(.train, of: target) == ["second"])
    #expect(try folder.names() == ["data"])
    try folder.write("precious", to: "other/file.txt")
    #expect(throws: DataSetError.targetExists(path: folder("other"), isDataSet: false)) {
      try preparation { $0.overwrite = true }.run(ListSource(["x"]), into: folder("other"), encode: Self.bytes)
    }
    let file = try folder.write("precious", to: "file")
    #expect(throws: DataSetError.targetExists(path: file, isDataSet: false)) {
      try preparation { $0.overwrite = true }.run(ListSource(["x"]), into: file, encode: Self.bytes)
    }
  }

  @Test("A stopped or failed preparation leaves an existing data set unchanged")
  func failures() throws {
    struct Broken: Error, Equatable {}
    let folder = try ScratchFolder()
    let target = folder("data")
    _ = try preparation().run(ListSource(["good"]), into: target, encode: Self.bytes)
    let again = preparation { $0.overwrite = true }
    #expect(throws: DataSetError.stopped) {
      try again.run(ListSource(Self.texts), into: target, encode: Self.bytes) { _ in .stop }
    }
    #expect(throws: Broken()) {
      try again.run(ListSource(Self.texts), into: target, encode: { _ in throw Broken() })
    }
    #expect(throws: DataSetError.noDocuments) { try again.run(ListSource([]), into: target, encode: Self.bytes) }
    #expect(throws: TokenShardError.self) { try again.run(ListSource(["x"]), into: target, encode: { _ in [300] }) }
    #expect(try texts(.train, of: target) == ["good"])
    #expect(try folder.names() == ["data"])
  }

  @Test("A preparation removes the leftovers of a killed process")
  func leftovers() throws {
    let folder = try ScratchFolder()
    // No process id is this high on any system.
    try folder.write("x", to: ".data.partial-2147483646-7/train-00000.calmtokens")
    _ = try preparation().run(ListSource(["good"]), into: folder("data"), encode: Self.bytes)
    #expect(try folder.names() == ["data"])
  }

  @Test("A data set is restored if a process was killed between the two renames of its replacement")
  func recovers() throws {
    let folder = try ScratchFolder()
    let target = folder("data")
    _ = try preparation().run(ListSource(["good"]), into: target, encode: Self.bytes)
    let retired = folder(".data.partial-2147483646-7-old")
    try FileManager.default.moveItem(atPath: target, toPath: retired)
    try folder.write("x", to: ".data.partial-2147483646-7/train-00000.calmtokens")
    #expect(throws: DataSetError.targetExists(path: target, isDataSet: true)) {
      try preparation().run(ListSource(["x"]), into: target, encode: Self.bytes)
    }
    #expect(try texts(.train, of: target) == ["good"])

    // Killed after the second rename: the replaced data set is removed.
    try FileManager.default.copyItem(atPath: target, toPath: retired)
    _ = try preparation { $0.overwrite = true }.run(ListSource(["better"]), into: target, encode: Self.bytes)
    #expect(try texts(.train, of: target) == ["better"])
    #expect(try folder.names() == ["data"])
  }

  @Test("An incomplete data set causes an error")
  func damagedSet() throws {
    let folder = try ScratchFolder()
    let target = folder("data")
    #expect(throws: DataSetError.notADataSet(path: target, reason: "no readable data.json")) {
      try TokenDataSet(path: target)
    }
    _ = try preparation { $0.tokensPerShard = 20_000 }.run(ListSource(Self.texts), into: target, encode: Self.bytes)
    #expect(throws: TokenShardError.self) { try TokenDataSet(path: target, tokenizerHash: "other") }
    let shard = target + "/train-00001.calmtokens"
    try FileManager.default.removeItem(atPath: shard)
    #expect(throws: DataSetError.missingShard(path: shard)) { try TokenDataSet(path: target) }
    try FileManager.default.copyItem(atPath: target + "/validation-00000.calmtokens", toPath: shard)
    #expect(throws: DataSetError.self) { try TokenDataSet(path: target) }
    try folder.write("{", to: "data/data.json")
    #expect(throws: DataSetError.notADataSet(path: target, reason: "data.json is damaged")) {
      try TokenDataSet(path: target)
    }
  }
}

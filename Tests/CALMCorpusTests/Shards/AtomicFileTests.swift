import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("Atomic files")
struct AtomicFileTests {
  private func write(_ text: String, to path: String) throws { try AtomicFile.write(Data(text.utf8), to: path) }

  @Test("A committed atomic file replaces the old file and leaves no other files")
  func replaces() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("old", to: "a.txt")
    try write("new", to: path)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
    #expect(try folder.names() == ["a.txt"])
  }

  @Test("An uncommitted atomic file leaves the old file and no other files")
  func discards() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("old", to: "a.txt")
    do {
      let file = try AtomicFile(replacing: path)
      try [UInt8](repeating: 1, count: 100_000).withUnsafeBytes { try file.write($0) }
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
    #expect(try folder.names() == ["a.txt"])
  }

  @Test("Bytes of an atomic file can be overwritten independently of the append position")
  func writesAtOffset() throws {
    let folder = try ScratchFolder()
    let file = try AtomicFile(replacing: folder("a"))
    try Array("....def".utf8).withUnsafeBytes { try file.write($0) }
    try Array("0abc".utf8).withUnsafeBytes { try file.write($0, at: 0) }
    try Array("ghi".utf8).withUnsafeBytes { try file.write($0) }
    try file.commit()
    #expect(try String(contentsOfFile: folder("a"), encoding: .utf8) == "0abcdefghi")
  }

  @Test("The error for an atomic file in a missing folder contains its path")
  func missingFolder() throws {
    let folder = try ScratchFolder()
    #expect(throws: FileError("create", folder("no/a"), code: ENOENT)) { try write("x", to: folder("no/a")) }
  }

  @Test("A full disk leaves the old files unchanged and no partial files")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      let folder = try ScratchFolder()
      let path = try folder.write("old", to: "a.txt")
      // A limit on the file size simulates a full disk: the write that exceeds it fails.
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 50_000, rlim_max: 50_000)
      #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
      #else
        let resource = RLIMIT_FSIZE
      #endif
      try #require(setrlimit(resource, &limit) == 0)
      let error = #expect(throws: FileError("write", path, code: EFBIG)) {
        try AtomicFile.write(Data(repeating: 1, count: 100_000), to: path)
      }
      #expect(error?.description.hasSuffix("free some space and run again (nothing was replaced)") == true)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "old")
      #expect(try folder.names() == ["a.txt"])

      let shard = folder("a.calmtokens")
      let vocabulary = TokenVocabulary(tokenizerHash: "h", size: 100, endOfText: 0)
      #expect(throws: FileError("write", shard, code: EFBIG)) {
        let writer = try TokenShardWriter(path: shard, vocabulary: vocabulary)
        try writer.append([Int32](repeating: 1, count: 100_000))
        try writer.finish()
      }
      #expect(try folder.names() == ["a.txt"])

      let text = try folder.write(String(repeating: "x", count: 40_000), to: "b.txt")
      #expect(throws: FileError.self) {
        try DataPreparation(vocabulary: vocabulary, createdBy: "tests")
          .run(CorpusReader(paths: [text, text]), into: folder("data")) { $0.utf8.map { _ in 1 } }
      }
      #expect(try folder.names() == ["a.txt", "b.txt"])
    }
  }
}

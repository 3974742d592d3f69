import CALMCorpus
import Foundation
import Testing

@Suite("Compressed files")
struct CompressedFileTests {
  private static let lines = (0..<60_000).map { "{\"text\": \"document \($0) says “\($0 &* 7919)”\"}" }

  private func readAll(_ path: String) throws -> (texts: [String], progress: CorpusProgress) {
    let reader = try CorpusReader(paths: [path])
    var texts: [String] = []
    while let document = try reader.next() { texts.append(document.text) }
    return (texts, reader.progress)
  }

  @Test(
    "A file compressed with gzip has the documents of the original file",
    .enabled(if: Programs.hasGzip, "gzip is not installed"))
  func sameDocumentsWithGzip() throws { try expectSameDocuments(ending: "gz", command: "gzip -k") }

  @Test(
    "A file compressed with zstd has the documents of the original file",
    .enabled(if: Programs.hasZstandard, "zstd is not installed"))
  func sameDocumentsWithZstandard() throws { try expectSameDocuments(ending: "zst", command: "zstd -q") }

  private func expectSameDocuments(ending: String, command: String) throws {
    let folder = try ScratchFolder()
    let plain = try folder.write(Self.lines.joined(separator: "\n"), to: "a.jsonl")
    try #require(try folder.shell("\(command) a.jsonl"))
    let expected = try readAll(plain).texts
    let (texts, progress) = try readAll(plain + "." + ending)
    #expect(texts == expected && texts.count == Self.lines.count)
    #expect(progress.bytesRead == progress.totalBytes)
  }

  @Test(
    "A gzip file truncated anywhere causes an error",
    .enabled(if: Programs.hasGzip, "gzip is not installed"))
  func truncatedWithGzip() throws { try expectTruncationReported(ending: "gz", command: "gzip -k") }

  @Test(
    "A zstd file truncated anywhere causes an error",
    .enabled(if: Programs.hasZstandard, "zstd is not installed"))
  func truncatedWithZstandard() throws { try expectTruncationReported(ending: "zst", command: "zstd -q") }

  private func expectTruncationReported(ending: String, command: String) throws {
    let folder = try ScratchFolder()
    try folder.write(Self.lines.joined(separator: "\n"), to: "a.jsonl")
    try #require(try folder.shell("\(command) a.jsonl"))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: folder("a.jsonl.\(ending)")))
    for size in [1, 10, bytes.count / 2, bytes.count - 1] {
      let path = try folder.write(bytes.prefix(size), to: "cut.jsonl.\(ending)")
      do {
        _ = try readAll(path)
        Issue.record("no error for an archive truncated to \(size) of \(bytes.count) bytes")
      } catch let CorpusError.decompressionFailed(named, _, _) {
        #expect(named == path)
      }
    }
  }

  @Test(
    "A compressed file leaves no process and no open file if reading stops early",
    .enabled(if: Programs.hasGzip, "gzip is not installed"))
  func stoppedEarly() async {
    await #expect(processExitsWith: .success) {
      let folder = try ScratchFolder()
      try folder.write((0..<300_000).map { "{\"text\": \"\($0)\"}" }.joined(separator: "\n"), to: "a.jsonl")
      try folder.shell("gzip a.jsonl")
      func openFiles() -> Int { (0..<256).count { fcntl($0, F_GETFD) != -1 } }
      let before = openFiles()
      for _ in 0..<20 {
        let reader = try CorpusReader(paths: [folder("a.jsonl.gz")])
        #expect(try reader.next()?.text == "0")
      }
      // Foundation may still be closing the files of the shell, so there may be fewer.
      #expect(openFiles() <= before)
      #expect(waitpid(-1, nil, WNOHANG) == -1 && errno == ECHILD)
    }
  }

  @Test("The error for a missing decompression program contains its name")
  func missingProgram() async {
    await #expect(processExitsWith: .success) {
      let folder = try ScratchFolder()
      setenv("PATH", "/nonexistent", 1)
      for (ending, program) in [("gz", "gzip"), ("zst", "zstd")] {
        let path = try folder.write("x", to: "a.txt.\(ending)")
        #expect(throws: CorpusError.missingProgram(path: path, program: program)) {
          try CorpusReader(paths: [path]).next()
        }
      }
    }
  }

  @Test("A decompression program that writes many error messages does not block")
  func manyErrorMessages() async {
    await #expect(processExitsWith: .success) {
      let folder = try ScratchFolder()
      let script =
        "#!/bin/sh\necho first; i=0; while [ $i -lt 20000 ]; do echo bad block $i >&2; i=$((i+1)); done; exit 1\n"
      let program = try folder.write(script, to: "gzip")
      chmod(program, 0o755)
      let path = try folder.write("x", to: "a.txt.gz")
      setenv("PATH", "\(folder.path):/usr/bin:/bin", 1)
      #expect(throws: CorpusError.decompressionFailed(path: path, program: "gzip", reason: "bad block 0")) {
        try CorpusReader(paths: [path]).next()
      }
    }
  }
}

import CALMCorpus
import Foundation
import Testing

@Suite("Reading a corpus")
struct CorpusReaderTests {
  private func texts(_ paths: String..., options: CorpusOptions = CorpusOptions()) throws -> [String] {
    let reader = try CorpusReader(paths: paths, options: options)
    var texts: [String] = []
    while let document = try reader.next() { texts.append(document.text) }
    return texts
  }

  @Test("a text file is one document, byte for byte, CRLF included")
  func wholeFile() throws {
    let folder = try ScratchFolder()
    let text = "One.\r\n\r\nTwo – “drei”.\n\n"
    #expect(try texts(folder.write(text, to: "a.txt")) == [text])
  }

  @Test("a byte-order mark is dropped and counted in offsets")
  func byteOrderMark() throws {
    let folder = try ScratchFolder()
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    #expect(try texts(folder.write(mark + Array("abc".utf8), to: "a.txt")) == ["abc"])
    #expect(try texts(folder.write(mark + Array("{\"text\": \"x\"}\n".utf8), to: "a.jsonl")) == ["x"])
    let bad = try folder.write(mark + Array("ab".utf8) + [0xFF], to: "b.txt")
    #expect(throws: CorpusError.notUTF8(path: bad, byteOffset: 5, line: 1)) { try texts(bad) }
  }

  @Test("lines: every line that is not blank is a document that knows its line")
  func lines() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("one\r\n\n  \ntwo\nthree", to: "a.txt")
    let reader = try CorpusReader(paths: [path], options: CorpusOptions(split: .lines))
    var documents: [Document] = []
    while let document = try reader.next() { documents.append(document) }
    #expect(documents.map(\.text) == ["one", "two", "three"])
    #expect(documents.map(\.line) == [1, 4, 5])
    #expect(documents.map(\.ordinal) == [0, 1, 2])
    #expect(documents.allSatisfy { $0.source == path })
  }

  @Test("paragraphs: blank lines part documents, line ends inside stay")
  func paragraphs() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("\n\na\r\nb\r\n \t\r\nc\nd\n\n\n\ne", to: "a.txt")
    #expect(try texts(path, options: CorpusOptions(split: .paragraphs)) == ["a\r\nb", "c\nd", "e"])
  }

  @Test("texts of any length survive JSON lines and plain lines, across pieces of any size")
  func longDocuments() throws {
    let folder = try ScratchFolder()
    var generator = TestGenerator(seed: 7)
    let alphabet = Array("abc \"\\/é“\u{1F600}\u{0}\t\n")
    // Two of the lengths take more than one piece of 1 MB.
    let written = [1, 63, 64, 65, 4095, 4097, 700_000, 10, 300_000, 20].map { length in
      String((0..<length).map { _ in alphabet.randomElement(using: &generator) ?? " " })
    }
    var lines = Data()
    for (index, text) in written.enumerated() {
      let object: [String: Any] = ["id": index, "text": text, "meta": ["text": "not this", "n": [1.5e3, true]]]
      lines += try JSONSerialization.data(withJSONObject: object) + Data("\n".utf8)
    }
    #expect(try texts(folder.write(lines, to: "a.jsonl")) == written)
    let plain = written.map { $0.replacingOccurrences(of: "\n", with: " ") }.map { "x\($0)x" }
    let path = try folder.write(plain.joined(separator: "\n"), to: "a.txt")
    #expect(try texts(path, options: CorpusOptions(split: .lines)) == plain)
    #expect(try texts(path) == [plain.joined(separator: "\n")])
  }

  @Test("a folder means its files of known endings, recursively, in the order of their paths")
  func folders() throws {
    let folder = try ScratchFolder()
    try folder.write("b", to: "b.txt")
    try folder.write("a2", to: "a/2.md")
    try folder.write("a10", to: "a/10.TXT")
    try folder.write(#"{"text": "json"}"#, to: "c/d/e.ndjson")
    try folder.write("no", to: "image.png")
    try folder.write("no", to: ".hidden.txt")
    try folder.write("no", to: ".git/x.txt")
    try folder.write("", to: "empty.txt")
    // A link in a circle must not be followed for ever.
    try FileManager.default.createSymbolicLink(atPath: folder("a/loop"), withDestinationPath: folder.path)
    #expect(try texts(folder.path) == ["a10", "a2", "b", "json"])
  }

  @Test("a pattern means its matches, a name with brackets that exists means itself")
  func patterns() throws {
    let folder = try ScratchFolder()
    for name in ["1.txt", "2.txt", "3.md", "[4].txt"] { try folder.write(name, to: name) }
    #expect(try texts(folder("[0-9].txt")) == ["1.txt", "2.txt"])
    #expect(try texts(folder("[4].txt")) == ["[4].txt"])
    #expect(throws: CorpusError.noMatch(pattern: folder("*.jsonl"))) { try texts(folder("*.jsonl")) }
  }

  @Test("the format can be told, and so can the field")
  func formats() throws {
    let folder = try ScratchFolder()
    let path = try folder.write(#"{"body": "b", "text": "t"}"#, to: "a.txt")
    #expect(try texts(path, options: CorpusOptions(format: .jsonLines, textField: "body")) == ["b"])
    let lines = try folder.write(#"{"body": "b"}"#, to: "a.jsonl")
    #expect(try texts(lines, options: CorpusOptions(format: .text)) == [#"{"body": "b"}"#])
  }

  @Test("progress ends at the total and counts documents")
  func progress() throws {
    let folder = try ScratchFolder()
    let paths = try ["ab", "cde"].enumerated().map { try folder.write($1, to: "\($0).txt") }
    let reader = try CorpusReader(paths: paths)
    #expect(reader.progress == CorpusProgress(totalBytes: 5))
    while try reader.next() != nil {}
    #expect(reader.progress == CorpusProgress(bytesRead: 5, totalBytes: 5, documents: 2))
    #expect(reader.names == paths)
  }

  @Test("standard input is read as text")
  func standardInput() async {
    await #expect(processExitsWith: .success) {
      var ends: [Int32] = [0, 0]
      try #require(pipe(&ends) == 0)
      try #require(write(ends[1], "from a pipe", 11) == 11)
      close(ends[1])
      dup2(ends[0], STDIN_FILENO)
      let reader = try CorpusReader(paths: ["-"])
      let document = try reader.next()
      #expect(document?.text == "from a pipe")
      #expect(document?.source == "standard input")
      #expect(reader.progress.totalBytes == nil)
    }
  }
}

import CALMCorpus
import Foundation
import Testing

@Suite("Corpus reader")
struct CorpusReaderTests {
  private func texts(_ paths: String..., options: CorpusOptions = CorpusOptions()) throws -> [String] {
    let reader = try CorpusReader(paths: paths, options: options)
    var texts: [String] = []
    while let document = try reader.next() { texts.append(document.text) }
    return texts
  }

  @Test("A text file is read as one document, byte for byte, including CRLF")
  func wholeFile() throws {
    let folder = try ScratchFolder()
    let text = "One.\r\n\r\nTwo – “drei”.\n\n"
    #expect(try texts(folder.write(text, to: "a.txt")) == [text])
  }

  @Test("A byte-order mark is dropped but counted in offsets")
  func byteOrderMark() throws {
    let folder = try ScratchFolder()
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    #expect(try texts(folder.write(mark + Array("abc".utf8), to: "a.txt")) == ["abc"])
    #expect(try texts(folder.write(mark + Array("{\"text\": \"x\"}\n".utf8), to: "a.jsonl")) == ["x"])
    let bad = try folder.write(mark + Array("ab".utf8) + [0xFF], to: "b.txt")
    #expect(throws: CorpusError.notUTF8(path: bad, byteOffset: 5, line: 1)) { try texts(bad) }
  }

  @Test("With lines as documents, every line that is not blank is a document with its line number")
  func lines() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("one\r\n\n  \ntwo\nthree", to: "a.txt")
    let reader = try CorpusReader(paths: [path], options: CorpusOptions(documentUnit: .lines))
    var documents: [Document] = []
    while let document = try reader.next() { documents.append(document) }
    #expect(documents.map(\.text) == ["one", "two", "three"])
    #expect(documents.map(\.line) == [1, 4, 5])
    #expect(documents.map(\.ordinal) == [0, 1, 2])
    #expect(documents.allSatisfy { $0.source == path })
  }

  @Test("With paragraphs as documents, blank lines separate documents and inner line endings are preserved")
  func paragraphs() throws {
    let folder = try ScratchFolder()
    let path = try folder.write("\n\na\r\nb\r\n \t\r\nc\nd\n\n\n\ne", to: "a.txt")
    #expect(try texts(path, options: CorpusOptions(documentUnit: .paragraphs)) == ["a\r\nb", "c\nd", "e"])
  }

  @Test("Texts of any length are read unchanged from JSON Lines and plain lines")
  func longDocuments() throws {
    let folder = try ScratchFolder()
    var generator = TestGenerator(seed: 7)
    let alphabet = Array("abc \"\\/é“\u{1F600}\u{0}\t\n")
    // Two of the texts are longer than one piece of 1 MB.
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
    #expect(try texts(path, options: CorpusOptions(documentUnit: .lines)) == plain)
    #expect(try texts(path) == [plain.joined(separator: "\n")])
  }

  @Test("A folder expands recursively to its files with known extensions, in the order of their paths")
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
    // The reader must not follow a cycle of links forever.
    try FileManager.default.createSymbolicLink(atPath: folder("a/loop"), withDestinationPath: folder.path)
    #expect(try texts(folder.path) == ["a10", "a2", "b", "json"])
  }

  @Test("A pattern expands to its matches, but the name of an existing file with brackets is not a pattern")
  func patterns() throws {
    let folder = try ScratchFolder()
    for name in ["1.txt", "2.txt", "3.md", "[4].txt"] { try folder.write(name, to: name) }
    #expect(try texts(folder("[0-9].txt")) == ["1.txt", "2.txt"])
    #expect(try texts(folder("[4].txt")) == ["[4].txt"])
    #expect(throws: CorpusError.noMatch(pattern: folder("*.jsonl"))) { try texts(folder("*.jsonl")) }
  }

  @Test("The file format and the text field can be specified")
  func formats() throws {
    let folder = try ScratchFolder()
    let path = try folder.write(#"{"body": "b", "text": "t"}"#, to: "a.txt")
    #expect(try texts(path, options: CorpusOptions(format: .jsonLines, textField: "body")) == ["b"])
    let lines = try folder.write(#"{"body": "b"}"#, to: "a.jsonl")
    #expect(try texts(lines, options: CorpusOptions(format: .text)) == [#"{"body": "b"}"#])
  }

  @Test("The progress of a corpus reader ends at the total size and counts documents")
  func progress() throws {
    let folder = try ScratchFolder()
    let paths = try ["ab", "cde"].enumerated().map { try folder.write($1, to: "\($0).txt") }
    let reader = try CorpusReader(paths: paths)
    #expect(reader.progress == CorpusProgress(totalBytes: 5))
    while try reader.next() != nil {}
    #expect(reader.progress == CorpusProgress(bytesRead: 5, totalBytes: 5, documents: 2))
    #expect(reader.names == paths)
  }

  @Test("Standard input is read as text")
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

import CALMCorpus
import Foundation
import Testing

@Suite("Corpus errors")
struct CorpusErrorTests {
  /// Reads all documents and returns the error.
  private func error(_ paths: [String], _ options: CorpusOptions = CorpusOptions()) -> CorpusError? {
    do {
      let reader = try CorpusReader(paths: paths, options: options)
      while try reader.next() != nil {}
      return nil
    } catch {
      return error as? CorpusError
    }
  }

  @Test("Missing inputs, empty files and folders without text cause errors")
  func nothingToRead() throws {
    let folder = try ScratchFolder()
    #expect(error([]) == .noPaths)
    #expect(error([folder("no.txt")]) == .missing(path: folder("no.txt")))
    let file = try folder.write("x", to: "x.dat")
    #expect(error([file + "/y.txt"]) == .missing(path: file + "/y.txt"))
    let empty = try folder.write("", to: "empty.txt")
    #expect(error([empty]) == .empty(path: empty))
    let onlyMark = try folder.write([0xEF, 0xBB, 0xBF], to: "mark.txt")
    #expect(error([onlyMark]) == .empty(path: onlyMark))
    let blank = try folder.write("\n \n\n", to: "blank.jsonl")
    #expect(error([blank]) == .empty(path: blank))
    try folder.write("x", to: "pictures/a.png")
    guard case .noText(folder("pictures"), _) = error([folder("pictures")]) else {
      Issue.record("no error for a folder without text")
      return
    }
    try folder.write("\n\n", to: "blanks/a.jsonl")
    guard case .noText(folder("blanks"), _) = error([file, folder("blanks")]) else {
      Issue.record("no error for a folder of blank files")
      return
    }
  }

  @Test("An unreadable file causes an error whether it is named or found in a folder")
  func unreadable() throws {
    let folder = try ScratchFolder()
    try folder.write("x", to: "a.txt")
    // A link to itself, because root can read any file regardless of permissions.
    let path = folder("loop.txt")
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "loop.txt")
    let refusal = CorpusError.unreadable(path: path, reason: String(cString: strerror(ELOOP)))
    #expect(error([path]) == refusal)
    #expect(error([folder.path]) == refusal)
  }

  @Test(
    "The error for invalid UTF-8 contains the byte offset and the line",
    arguments: [
      [0xFF], [0x80], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xC3, 0x28],
    ] as [[UInt8]])
  func notUTF8(bad: [UInt8]) throws {
    let folder = try ScratchFolder()
    let before = Array("line one\nline – two\nand ".utf8)
    let text = try folder.write(before + bad + Array(" more\n".utf8), to: "a.txt")
    #expect(error([text]) == .notUTF8(path: text, byteOffset: before.count, line: 3))
    #expect(
      error([text], CorpusOptions(documentUnit: .lines)) == .notUTF8(path: text, byteOffset: before.count, line: 3))
    #expect(
      error([text], CorpusOptions(documentUnit: .paragraphs)) == .notUTF8(path: text, byteOffset: before.count, line: 3)
    )
    let head = Array("{\"text\": \"good\"}\n{\"text\": \"a\\n".utf8)
    let lines = try folder.write(head + bad + Array("\"}\n".utf8), to: "a.jsonl")
    #expect(error([lines]) == .notUTF8(path: lines, byteOffset: head.count, line: 2))
    for path in [text, lines] {
      let reader = try CorpusReader(paths: [path], options: CorpusOptions(lossy: true))
      var texts = ""
      while let document = try reader.next() { texts += document.text }
      #expect(texts.contains("\u{FFFD}"))
      #expect(reader.progress.repairedDocuments == 1)
    }
  }

  @Test("Every Unicode scalar is valid UTF-8")
  func allScalars() throws {
    let folder = try ScratchFolder()
    var scalars = String.UnicodeScalarView()
    for value in UInt32(1)...0x10FFFF { if let scalar = Unicode.Scalar(value) { scalars.append(scalar) } }
    let path = try folder.write(String(scalars), to: "a.txt")
    let reader = try CorpusReader(paths: [path])
    #expect(try reader.next()?.text.unicodeScalars.elementsEqual(scalars) == true)
  }

  @Test("Malformed lines of JSON cause an error with file and line, or are skipped and counted")
  func malformedLines() throws {
    let folder = try ScratchFolder()
    let bad = [
      ("{\"text\": \"a\"", "the JSON object is incomplete at the end of the line"),
      ("{\"text\": 5}", "the field \"text\" is not a string"),
      ("{\"text\": null}", "the field \"text\" is not a string"),
      ("{\"txt\": \"a\"}", "the object has no field \"text\""),
      ("[\"text\"]", "not a JSON object"),
      ("{\"text\": \"a\"} x", "invalid JSON at column 15 ('x')"),
      ("{\"text\": \"\\ud800\"}", "unpaired surrogate escape"),
      ("{\"text\": \"a\",}", "invalid JSON at column 14 ('}')"),
      ("{\"n\": [1,], \"text\": \"a\"}", "invalid JSON at column 10 (']')"),
      ("{\"n\": 01, \"text\": \"a\"}", "invalid JSON at column 8 ('1')"),
      ("{\"text\": \"a\tb\"}", "invalid JSON at column 12 (byte 9)"),
      ("{\"a\": \(String(repeating: "[", count: 100_000)), \"text\": \"a\"}", "JSON nested more than 512 levels deep"),
    ]
    for (line, reason) in bad {
      let path = try folder.write("{\"text\": \"good\"}\n\n\(line)\n{\"text\": \"last\"}\n", to: "a.jsonl")
      #expect(error([path]) == .malformedLine(path: path, line: 3, reason: reason))
      let reader = try CorpusReader(paths: [path], options: CorpusOptions(skipMalformed: true))
      #expect(try reader.next()?.text == "good")
      #expect(try reader.next()?.text == "last")
      #expect(try reader.next() == nil)
      #expect(reader.progress.skippedLines == 1)
    }
  }

  @Test("Every corpus error is one line that starts with the file and mentions no options")
  func descriptions() {
    let errors: [CorpusError] = [
      .missing(path: "F"), .noMatch(pattern: "F"), .unreadable(path: "F", reason: "r"), .empty(path: "F"),
      .noText(folder: "F", endings: ["txt"]), .notUTF8(path: "F", byteOffset: 12, line: 3),
      .malformedLine(path: "F", line: 3, reason: "r"), .missingProgram(path: "F", program: "zstd"),
      .decompressionFailed(path: "F", program: "zstd", reason: "r"),
    ]
    for error in errors {
      #expect(error.description.hasPrefix("F:"))
      #expect(!error.description.contains("\n") && !error.description.contains("--"))
    }
  }
}

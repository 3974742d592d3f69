import Foundation
import Testing

@Suite("Bad input")
struct BadInputTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func train(_ arguments: String...) throws -> CommandResult {
    try Command.run(["tokenizer", "train", "--out", folder.path("tokenizer.json")] + arguments)
  }

  @Test("Missing and empty text files are errors that name the path")
  func files() throws {
    expectFailure(try train(folder.path("nowhere.txt")), saying: "nowhere.txt: no such file")
    expectFailure(try train(folder.path("*.txt")), saying: "*.txt: no file matches")
    try folder.write("", "empty.txt")
    expectFailure(try train(folder.path("empty.txt")), saying: "empty.txt: contains no text")
    #expect(!FileManager.default.fileExists(atPath: folder.path("tokenizer.json")))
  }

  @Test("A file that the system cannot read is an error that names the file")
  func refused() throws {
    // A link to itself, because root can read any file regardless of permissions.
    try FileManager.default.createSymbolicLink(atPath: folder.path("loop.txt"), withDestinationPath: "loop.txt")
    expectFailure(try train(folder.path("loop.txt")), saying: "loop.txt: cannot be read")
  }

  @Test("Text that is not UTF-8 is an error with the position, and --lossy repairs it")
  func encoding() throws {
    try folder.write(Data("good line\nbad ".utf8) + Data([0xFF]) + Data(" line\n".utf8), "latin.txt")
    expectFailure(
      try train(folder.path("latin.txt")), saying: "latin.txt: not valid UTF-8 at byte 14 (line 2)", "--lossy")
    let lossy = try train(folder.path("latin.txt"), "--lossy", "--vocab-size", "260")
    #expect(lossy.status == 0, "\(lossy.errorOutput)")
    #expect(lossy.text.contains("1 document repaired"))
  }

  @Test("A malformed JSON line is an error with its number, and --skip-malformed skips and counts such lines")
  func jsonLines() throws {
    try folder.write(
      "{\"text\": \"one one one\"}\n{\"text\": \n{\"body\": \"two\"}\n{\"text\": \"three\"}\n", "c.jsonl")
    expectFailure(try train(folder.path("c.jsonl")), saying: "c.jsonl:2:", "--skip-malformed")
    let result = try train(folder.path("c.jsonl"), "--skip-malformed", "--json", "--vocab-size", "260")
    let results = try result.json()
    #expect(results["skipped_lines"] as? Int == 2)
    #expect(results["documents"] as? Int == 2)
  }

  @Test("A vocabulary too small for the bytes and a missing output folder are errors")
  func targets() throws {
    try folder.write("some text", "a.txt")
    expectFailure(try train(folder.path("a.txt"), "--vocab-size", "100"), saying: "100", "at least 259")
    let result = try Command.run(["tokenizer", "train", folder.path("a.txt"), "--out", folder.path("no/t.json")])
    expectFailure(result, saying: "no: no such folder")
  }

  @Test("A missing or invalid tokenizer is an error that names the path")
  func tokenizers() throws {
    try folder.write("{\"model\": 1}", "other.json")
    let missing = try Command.run(["tokenizer", "encode", "--tokenizer", folder.path("t.json")])
    expectFailure(missing, saying: "t.json")
    let other = try Command.run(["tokenizer", "encode", "--tokenizer", folder.path("other.json")])
    expectFailure(other, saying: "other.json")
    let none = try Command.run(["tokenizer", "encode", "--tokenizer", folder.url.path])
    expectFailure(none, saying: "neither tokenizer.json nor tokenizer.model")
  }

  @Test("An unknown or unavailable device is an error that names it", arguments: ["abacus", "cuda:x", "cuda:4096"])
  func devices(_ device: String) throws {
    let result = try Command.run([
      "eval", "autoencoder", folder.url.path, "--data", folder.url.path, "--device", device,
    ])
    expectFailure(result, saying: "device '\(device.prefix(4))")
  }

  @Test("Invalid arguments print an error and the usage, and exit with status 64")
  func usage() throws {
    for arguments in [
      ["nonsense"], ["tokenizer", "train"], ["doctor", "--threads", "0"], ["info", "--tokens", "many"],
    ] {
      let result = try Command.run(arguments)
      #expect(result.status == 64, "\(arguments)")
      #expect(result.errorOutput.hasPrefix("Error: "), "\(arguments)")
      #expect(result.errorOutput.contains("Usage: calm"), "\(arguments)")
    }
  }
}

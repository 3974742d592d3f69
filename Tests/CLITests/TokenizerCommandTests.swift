import Foundation
import Testing

@Suite("calm tokenizer")
struct TokenizerCommandTests {
  private let folder: TemporaryFolder
  private let tokenizer: String

  init() throws {
    folder = try TemporaryFolder()
    tokenizer = try folder.addTokenizer()
  }

  @Test("Decoding restores any encoded bytes, through a pipe")
  func roundTripOfBytes() throws {
    var generator = SystemRandomNumberGenerator()
    let noise = Data((0..<100_000).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    let text = Data("\u{FEFF}Zwei Zeilen,\r\nein Smiley 🙂\n\n\tand <eos> as text, without a line end".utf8)
    for bytes in [noise, text, Data("\n".utf8), Data()] {
      try folder.write(bytes, "bytes")
      let result = try Command.shell(
        #""$CALM" tokenizer encode --tokenizer "$DIR/tokenizer.json" < "$DIR/bytes" | "#
          + #""$CALM" tokenizer decode --tokenizer "$DIR/tokenizer.json""#, in: folder.url)
      #expect(result.status == 0, "\(result.errorOutput)")
      #expect(result.output == bytes)
    }
  }

  @Test("The ids of each line of text are on one line")
  func linesOfIds() throws {
    let result = try Command.run(
      ["tokenizer", "encode", "--tokenizer", tokenizer], input: Data("the cat\nthe dog\nmat".utf8))
    let lines = result.text.split(separator: "\n")
    #expect(lines.count == 3)
    let middle = try Command.run(["tokenizer", "decode", "--tokenizer", tokenizer], input: Data(lines[1].utf8))
    #expect(middle.text == "the dog\n")
  }

  @Test("JSON strings are encoded as arrays of ids, which decode to the same strings")
  func roundTripOfJSON() throws {
    let texts = ["the cat sat", "", "line\nend \"quoted\" / 🙂", "<eos>"]
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    let lines = try texts.map { String(decoding: try encoder.encode($0), as: UTF8.self) + "\n" }.joined()
    let ids = try Command.run(["tokenizer", "encode", "--json", "--tokenizer", tokenizer], input: Data(lines.utf8))
    #expect(ids.status == 0, "\(ids.errorOutput)")
    #expect(ids.text.split(separator: "\n").count == texts.count)
    let back = try Command.run(["tokenizer", "decode", "--json", "--tokenizer", tokenizer], input: ids.output)
    #expect(back.text == lines)
  }

  @Test("Recorded strings have the recorded ids, line by line", arguments: ["bytebpe", "llama-like", "prefix-space"])
  func recordedCases(name: String) throws {
    struct Case: Decodable {
      let text: String
      // With special tokens encoded as such, and as text.
      let ids: [Int]?
      let ordinary: [Int]?

      enum CodingKeys: String, CodingKey {
        case text, ids
        case ordinary = "ids_ordinary"
      }
    }
    let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("CALMTokenizerTests/Fixtures")
    let cases = try String(contentsOf: fixtures.appendingPathComponent("\(name)-cases.jsonl"), encoding: .utf8)
      .split(separator: "\n").map { try JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
    let lines = try cases.map { String(decoding: try JSONEncoder().encode($0.text), as: UTF8.self) + "\n" }.joined()
    func encode(_ options: String...) throws -> [[Int]] {
      let path = fixtures.appendingPathComponent("\(name).json").path
      let result = try Command.run(
        ["tokenizer", "encode", "--json", "--tokenizer", path] + options, input: Data(lines.utf8))
      return try result.text.split(separator: "\n").map { try JSONDecoder().decode([Int].self, from: Data($0.utf8)) }
    }
    let special = cases.compactMap(\.ids)
    let ordinary = cases.compactMap(\.ordinary)
    #expect(special.count + ordinary.count >= cases.count && cases.count > 100)
    if !special.isEmpty { #expect(try encode("--special") == special) }
    if !ordinary.isEmpty { #expect(try encode() == ordinary) }
  }

  @Test("Special tokens are encoded as text unless they are allowed")
  func specialTokens() throws {
    let text = Data(#""<eos>""#.utf8)
    let arguments = ["tokenizer", "encode", "--json", "--tokenizer", tokenizer]
    #expect(try Command.run(arguments, input: text).text != "[2]\n")
    #expect(try Command.run(arguments + ["--special"], input: text).text == "[2]\n")
    let kept = try Command.run(["tokenizer", "decode", "--tokenizer", tokenizer], input: Data("2".utf8))
    #expect(kept.text == "<eos>")
    let left = try Command.run(
      ["tokenizer", "decode", "--skip-special", "--tokenizer", tokenizer], input: Data("2".utf8))
    #expect(left.text.isEmpty && left.status == 0)
  }

  @Test("The same text produces the same tokenizer, and --json prints the results")
  func training() throws {
    let result = try Command.run([
      "tokenizer", "train", folder.path("stories.txt"), "--document-unit", "lines", "--vocab-size", "300", "--json",
      "--out", folder.path("second.json"),
    ])
    let results = try result.json()
    #expect(results["vocabulary_size"] as? Int == 300)
    #expect(results["documents"] as? Int == 400)
    #expect(results["content_hash"] as? String != nil)
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path("second.json"))).count > 1000)
  }

  @Test("Invalid ids and invalid JSON are errors with the line")
  func badInput() throws {
    func decode(_ text: String, _ more: String...) throws -> CommandResult {
      try Command.run(["tokenizer", "decode", "--tokenizer", tokenizer] + more, input: Data(text.utf8))
    }
    expectFailure(try decode("x"), saying: "standard input:1: not a token id")
    expectFailure(try decode("1 300"), saying: "standard input:1", "300", "300 tokens")
    expectFailure(try decode("99999999999"), saying: "standard input:1: not a token id")
    expectFailure(try decode("[1, 2", "--json"), saying: "standard input:1: not a JSON array")
    let encoded = try Command.run(
      ["tokenizer", "encode", "--json", "--tokenizer", tokenizer], input: Data("{}\n".utf8))
    expectFailure(encoded, saying: "standard input:1: not a JSON string")
  }

  @Test("A reader that closes the pipe ends the program silently")
  func brokenPipe() throws {
    try folder.write(String(repeating: "the cat sat on the mat\n", count: 50_000), "long")
    let result = try Command.shell(
      #""$CALM" tokenizer encode --tokenizer "$DIR/tokenizer.json" "$DIR/long" | head -n 1"#, in: folder.url)
    #expect(result.errorOutput.isEmpty)
    #expect(result.text.split(separator: "\n").count == 1)
  }

  @Test(
    "Output that cannot be written is an error",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full"), "this system has no /dev/full"))
  func fullDisk() throws {
    let result = try Command.shell(
      #"echo the cat | "$CALM" tokenizer encode --tokenizer "$DIR/tokenizer.json" > /dev/full"#, in: folder.url)
    expectFailure(result, saying: "cannot write standard output", "space")
  }
}

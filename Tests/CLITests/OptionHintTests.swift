import Foundation
import Testing

@Suite("Option hints")
struct OptionHintTests {
  /// A command that fails in a library, and the option or command that its error must name.
  struct Case: Sendable, CustomTestStringConvertible {
    let arguments: [String]
    let hint: String
    var testDescription: String { "\(arguments.joined(separator: " ")): \(hint)" }

    init(_ arguments: String, _ hint: String) {
      self.arguments = arguments.split(separator: " ").map(String.init)
      self.hint = hint
    }
  }

  private static let autoencoder = "train autoencoder --data DIR/data --out DIR/run"

  static let cases = [
    Case("tokenizer train DIR/latin.txt --out DIR/new.json", "--lossy"),
    Case("tokenizer train DIR/stories.txt --vocab-size 256 --out DIR/new.json", "--vocab-size"),
    Case("data prepare DIR/cut.jsonl --tokenizer DIR/tokenizer.json --out DIR/new", "--skip-malformed"),
    Case("data prepare DIR/stories.txt --tokenizer DIR/tokenizer.json --out DIR/data", "--overwrite"),
    Case("train autoencoder --data DIR/run --out DIR/new", "calm data prepare"),
    Case("train autoencoder --data DIR/data --out DIR/taken", "--resume"),
    Case("\(autoencoder) --sequence-length 1000000", "--sequence-length"),
    Case("\(autoencoder) --device mps", "--device cpu"),
  ]

  @Test("An error of a library names the option or command that resolves it.", arguments: cases)
  func hint(_ item: Case) throws {
    let folder = try TemporaryFolder()
    try folder.prepareData()
    try folder.write(Data([0x61, 0xE9, 0x0A]), "latin.txt")
    try folder.write("{\"text\": \"one\"}\n{\"text\"\n", "cut.jsonl")
    for name in ["run", "taken"] {
      try FileManager.default.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    }
    try folder.write("{}", "taken/run.json")
    let result = try Command.run(
      item.arguments.map { $0.replacingOccurrences(of: "DIR", with: folder.url.path) })
    expectFailure(result, saying: item.hint)
  }
}

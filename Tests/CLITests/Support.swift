import Foundation
import Testing

/// The result of running `calm`.
struct CommandResult {
  let status: Int32
  let output: Data
  let errorOutput: String

  var text: String { String(decoding: output, as: UTF8.self) }

  /// The output as a JSON object.
  func json() throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: output) as? [String: Any])
  }
}

/// The programs `calm` and `calm-bench`, which the build places next to the test bundle.
enum Command {
  static let url = program("calm")

  private static func program(_ name: String) -> URL {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
    let neighbor = bundle ?? Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    return neighbor.deletingLastPathComponent().appendingPathComponent(name)
  }

  /// Runs `calm` with arguments.
  static func run(_ arguments: [String], input: Data = Data()) throws -> CommandResult {
    try launch(url, arguments, input: input)
  }

  /// Runs `calm-bench` with arguments.
  static func bench(_ arguments: [String]) throws -> CommandResult {
    try launch(program("calm-bench"), arguments, input: Data())
  }

  /// Runs a shell command in which `$CALM` is the program and `$DIR` the given folder.
  static func shell(_ script: String, in folder: URL) throws -> CommandResult {
    try launch(
      URL(fileURLWithPath: "/bin/sh"), ["-c", script], input: Data(),
      environment: ["CALM": url.path, "DIR": folder.path])
  }

  /// Input and output are files, so that no pipe can fill up and block.
  private static func launch(
    _ program: URL, _ arguments: [String], input: Data, environment: [String: String] = [:]
  ) throws -> CommandResult {
    let folder = try TemporaryFolder()
    let (inputFile, outputFile, errorFile) = (
      try folder.write(input, "in"), try folder.write(Data(), "out"), try folder.write(Data(), "err")
    )
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = try FileHandle(forReadingFrom: inputFile)
    process.standardOutput = try FileHandle(forWritingTo: outputFile)
    process.standardError = try FileHandle(forWritingTo: errorFile)
    try process.run()
    process.waitUntilExit()
    return CommandResult(
      status: process.terminationStatus, output: try Data(contentsOf: outputFile),
      errorOutput: String(decoding: try Data(contentsOf: errorFile), as: UTF8.self))
  }
}

/// A temporary folder, which is removed with this object.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  @discardableResult
  func write(_ data: Data, _ name: String) throws -> URL {
    let file = url.appendingPathComponent(name)
    try data.write(to: file)
    return file
  }

  @discardableResult
  func write(_ text: String, _ name: String) throws -> URL { try write(Data(text.utf8), name) }

  /// Writes a corpus of 400 short documents, `stories.txt`, and a tokenizer trained on it.
  ///
  /// - Returns: the path of the tokenizer.
  func addTokenizer() throws -> String {
    try write(Self.stories, "stories.txt")
    try write(Self.tokenizer.get(), "tokenizer.json")
    return path("tokenizer.json")
  }

  /// Writes the files of ``addTokenizer()``, and in `data` a data set prepared from its stories, one per document.
  ///
  /// - Parameter options: further options of 'calm data prepare'.
  /// - Returns: the path of the data.
  @discardableResult
  func prepareData(_ options: String...) throws -> String {
    let tokenizer = try addTokenizer()
    let data = path("data")
    let result = try Command.run(
      ["data", "prepare", path("stories.txt"), "--document-unit", "lines", "--tokenizer", tokenizer, "--out", data]
        + options)
    try #require(result.status == 0, "\(result.errorOutput)")
    return data
  }

  private static let stories = (0..<400).map {
    "Story \($0): the cat sat on mat number \($0 % 7), and the dog ran off.\n"
  }.joined()

  /// The tokenizer, trained once by the program.
  private static let tokenizer = Result {
    let folder = try TemporaryFolder()
    try folder.write(stories, "stories.txt")
    let result = try Command.run([
      "tokenizer", "train", folder.path("stories.txt"), "--vocab-size", "300", "--out", folder.path("tokenizer.json"),
    ])
    try #require(result.status == 0, "\(result.errorOutput)")
    return try Data(contentsOf: URL(fileURLWithPath: folder.path("tokenizer.json")))
  }
}

/// Checks that arguments were refused: nothing on standard output, and a first line that contains all of `phrases`,
/// followed by the usage.
func expectUsageError(
  _ result: CommandResult, saying phrases: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(result.status == 64 && result.output.isEmpty, sourceLocation: sourceLocation)
  let line = result.errorOutput.split(separator: "\n").first ?? ""
  for phrase in ["Error: "] + phrases {
    #expect(line.contains(phrase), "'\(line)' does not say '\(phrase)'", sourceLocation: sourceLocation)
  }
}

/// Checks that a run failed as expected: a nonzero status, nothing on standard output, and one line that contains all
/// of `phrases`.
func expectFailure(
  _ result: CommandResult, status: Int32 = 1, saying phrases: String...,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(result.status == status, sourceLocation: sourceLocation)
  #expect(result.output.isEmpty, sourceLocation: sourceLocation)
  let lines = result.errorOutput.split(separator: "\n").filter { !$0.hasSuffix(" …") }
  #expect(lines.count == 1, "\(result.errorOutput)", sourceLocation: sourceLocation)
  let line = lines.last ?? ""
  #expect(line.hasPrefix("Error: "), sourceLocation: sourceLocation)
  for phrase in phrases {
    #expect(line.contains(phrase), "'\(line)' does not say '\(phrase)'", sourceLocation: sourceLocation)
  }
}

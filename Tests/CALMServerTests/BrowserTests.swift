import Foundation
import Testing

@Suite("Playground in a browser", .serialized)
struct BrowserTests {
  private static let script = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../scripts/test-playground.py").standardizedFileURL
  private static let isLong = ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1"
  private static let python = ProcessInfo.processInfo.environment["CALM_PYTHON"] ?? "python3"

  /// Whether Chromium, its driver and Selenium are installed.
  private static let hasBrowser =
    (try? run(["bash", "-c", "command -v chromium && command -v chromedriver"]).status) == 0
    && (try? run([python, "-c", "import selenium"]).status) == 0

  @Test(
    "a person can type, stream, stop, copy the request and read errors in Chromium",
    .enabled(if: isLong, "runs only with CALM_LONG_TESTS=1"),
    .enabled(
      if: !isLong || hasBrowser, "needs chromium, chromedriver, and Selenium in the Python that CALM_PYTHON names"),
    .timeLimit(.minutes(5)), arguments: [nil, "secret"])
  func playground(key: String?) async throws {
    let settings = TestServer.settings {
      $0.keys = key.map { [$0] } ?? []
      // Long enough to be stopped.
      $0.limits.completionTokens = 30_000
    }
    try await TestServer.run(settings: settings) { (server: TestServer) in
      let options = ["http://localhost:\(server.port)"] + (key.map { ["--key", $0] } ?? [])
      let (status, output) = try await TestServer.onThread {
        try Self.run([Self.python, Self.script.path] + options)
      }
      #expect(status == 0, "\(output)")
    }
  }

  /// Runs a command, and returns its status and output.
  private static func run(_ command: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = command
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}

import Foundation
import Testing

/// A running `calm serve`.
final class ServeProcess: @unchecked Sendable {
  private let process = Process()
  private let errors: URL

  /// Starts `calm serve` with arguments, on a free port.
  ///
  /// - Parameter folder: an existing folder for the messages of the program.
  init(_ arguments: [String], in folder: URL) throws {
    errors = folder.appending(path: "errors-\(UUID().uuidString)")
    try Data().write(to: errors)
    process.executableURL = Self.program
    process.arguments = ["serve", "--port", "0", "--threads", "1"] + arguments
    (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// The program `calm`, which the build leaves next to the test bundle, as well as `calm-serve`.
  private static var program: URL {
    let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?.bundleURL
    let neighbor = bundle ?? Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    return neighbor.deletingLastPathComponent().appendingPathComponent("calm")
  }

  /// What the program wrote to its standard error.
  var messages: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

  /// Waits until the server listens and its models are loaded.
  ///
  /// - Returns: the port.
  func port() async throws -> Int {
    while process.isRunning {
      if let match = messages.firstMatch(of: #/listening on http:\/\/127\.0\.0\.1:(\d+)/#), let port = Int(match.1),
        try await Self.reply(port, "GET", "/health").status == 200
      {
        return port
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("calm serve ended: \(messages)")
    throw CancellationError()
  }

  func terminate() { process.terminate() }

  /// Waits for the end.
  ///
  /// - Returns: the exit status, or minus the number of the signal that ended it.
  func end() async throws -> Int32 {
    while process.isRunning { try await Task.sleep(for: .milliseconds(5)) }
    return process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
  }

  /// The text of a request.
  static func request(_ method: String, _ path: String, _ body: String = "", key: String? = nil) -> String {
    let fields = key.map { ["Authorization: Bearer \($0)"] } ?? []
    let lines = [
      "\(method) \(path) HTTP/1.1", "Host: localhost", "Connection: close", "Content-Type: application/json",
      "Content-Length: \(body.utf8.count)",
    ]
    return (lines + fields).joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  /// Sends a request, and returns the whole response.
  static func reply(
    _ port: Int, _ method: String, _ path: String, _ body: String = "", key: String? = nil
  ) async throws -> Reply {
    try await TestServer.onThread {
      let client = try SocketClient(port: port)
      client.transmit(request(method, path, body, key: key))
      return Reply(client.receive())
    }
  }
}

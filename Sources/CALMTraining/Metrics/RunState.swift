import CALMSupport
import Foundation

/// What became of a run.
public enum RunState: String, Codable, Sendable, CaseIterable {
  /// A process trains it.
  case running
  /// A limit was reached: all steps or tokens, or its time.
  case finished
  /// It was told to end before it reached one.
  case stopped
  /// It ended with an error.
  case failed
  /// Its process ended without a word: killed, or the machine went down.
  case crashed
}

/// `status.json`: what the process that trained a run last said of it.
struct RunStatus: Codable {
  /// What it said.
  var state: RunState
  /// Steps of the whole run.
  var totalSteps: Int
  /// The process that said it.
  var process: Int32
  /// The machine that it ran on.
  var host: String
  /// When it began or took up the run.
  var began: Date
  /// When it ended.
  var ended: Date?
  /// The error that ended it.
  var reason: String?

  /// Reads the run's; nil where there is none.
  init?(of run: URL) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let data = try? Data(contentsOf: Self.url(of: run)), let status = try? decoder.decode(Self.self, from: data)
    else { return nil }
    self = status
  }

  init(totalSteps: Int) {
    self.totalSteps = totalSteps
    state = .running
    began = Date()
    process = getpid()
    host = ProcessInfo.processInfo.hostName
  }

  func write(to run: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    encoder.keyEncodingStrategy = .convertToSnakeCase
    try AtomicFile.write(try encoder.encode(self), to: Self.url(of: run).path)
  }

  private static func url(of run: URL) -> URL { run.appendingPathComponent("status.json") }
}

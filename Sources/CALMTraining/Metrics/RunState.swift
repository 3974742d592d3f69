import CALMSupport
import Foundation

/// The state of a run.
public enum RunState: String, Codable, Sendable, CaseIterable {
  /// A process is training the run.
  case running
  /// The run reached its limit of steps, tokens or time.
  case finished
  /// The run was stopped before it reached a limit.
  case stopped
  /// The run failed with an error.
  case failed
  /// The process ended without recording a reason: it was killed, or the machine went down.
  case crashed
}

/// `status.json`: the last state that the training process recorded.
struct RunStatus: Codable {
  /// The state.
  var state: RunState
  /// Steps of the whole run.
  var totalSteps: Int
  /// The process id.
  var process: Int32
  /// The host name of the machine.
  var host: String
  /// When the process started or resumed the run.
  var began: Date
  /// When training ended.
  var ended: Date?
  /// The error that ended the run.
  var reason: String?

  /// Reads the status of a run; nil if there is none.
  init?(of run: URL) {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let data = try? Data(contentsOf: Self.url(of: run)), let status = try? decoder.decode(Self.self, from: data)
    else { return nil }
    self = status
  }

  /// The status of a run that this process is training.
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

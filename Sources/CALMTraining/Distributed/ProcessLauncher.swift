import CALMSupport
import Foundation
import Torch

/// Runs a program as several processes on this machine that train together, and restarts them from the last checkpoint if
/// one crashes.
///
/// Process 0 inherits standard output and error. The standard error of the other processes is captured, and reported if
/// process 0 does not explain the failure itself. If a process ends early, the others detect that; those that have not
/// ended after ``grace`` are killed.
public struct ProcessLauncher {
  /// The executable.
  public var program: URL
  /// The arguments of all processes.
  public var arguments: [String]
  /// The number of processes.
  public var count: Int
  /// The maximum number of restarts after a crash.
  public var restarts: Int
  /// The time in which all processes must end after one of them has failed.
  public var grace = Duration.seconds(10)

  /// Creates a launcher for `count` processes.
  public init(_ program: URL, arguments: [String], count: Int, restarts: Int = 0) {
    (self.program, self.arguments, self.count, self.restarts) = (program, arguments, count, restarts)
  }

  /// The environment variable that each process gets: "begin", or "resume" after a restart.
  public static let variable = "CALM_LAUNCH"
  /// The exit status of a process that ended because it lost another process.
  public static let peerGone: Int32 = 75

  /// Runs the processes to their end.
  ///
  /// - Parameters:
  ///   - isInterrupted: polled; once it returns true, all processes get SIGINT.
  ///   - willRestart: called before each restart with its number and the reason.
  /// - Returns: the exit status: 0, or that of process 0 if it has already reported an error on standard error.
  /// - Throws: ``ProcessLaunchError``.
  public func run(
    isInterrupted: () -> Bool, willRestart: (_ number: Int, _ reason: ProcessLaunchError) throws -> Void
  ) throws -> Int32 {
    var attempt = 0
    while true {
      let world = try World(self, isRestart: attempt > 0)
      try world.waitForAll(grace: grace, isInterrupted: isInterrupted)
      guard let failure = world.failure else { return 0 }
      if case .died = failure, attempt < restarts, !isInterrupted() {
        attempt += 1
        try willRestart(attempt, failure)
        continue
      }
      if case .failed(0, _, let status, _) = failure { return status }
      throw failure
    }
  }
}

/// An error of a process that trains together with others.
public enum ProcessLaunchError: DescribedError, Equatable {
  /// The program cannot be started.
  case cannotStart(String, reason: String)
  /// A signal terminated the process.
  case died(rank: Int, count: Int, signal: Int32)
  /// The process ended with a nonzero status.
  case failed(rank: Int, count: Int, status: Int32, message: String)

  /// One line: the program or the process, and the failure.
  public var description: String {
    switch self {
    case .cannotStart(let program, let reason): "\(program): cannot be started: \(reason)"
    case .died(let rank, let count, let signal):
      "process \(rank) of \(count) was terminated by \(Self.name(signal)); the others have stopped"
    case .failed(let rank, let count, let status, let message):
      "process \(rank) of \(count) ended with status \(status)" + (message.isEmpty ? "" : ": \(message)")
    }
  }

  private static func name(_ signal: Int32) -> String {
    let names = [
      SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT",
      SIGBUS: "SIGBUS", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP", SIGHUP: "SIGHUP",
    ]
    return names[signal] ?? "signal \(signal)"
  }
}

/// The processes of one attempt.
private final class World {
  private let processes: [Process]
  /// The captured standard error of each process; nil for process 0, which inherits it.
  private let logs: [URL?]
  /// A pipe without a writer: the processes read end-of-file when this process has ended.
  private let lifeline = Pipe()

  init(_ launcher: ProcessLauncher, isRestart: Bool) throws {
    guard let port = ProcessGroup.freePort() else {
      throw ProcessLaunchError.cannotStart(launcher.program.path, reason: "this machine has no free port")
    }
    let threads = max(1, ProcessInfo.processInfo.activeProcessorCount / launcher.count)
    var (processes, logs): ([Process], [URL?]) = ([], [])
    for rank in 0..<launcher.count {
      let place = RankVariables(
        rank: rank, worldSize: launcher.count, localRank: rank, host: "127.0.0.1", port: port)
      let process = Process()
      process.executableURL = launcher.program
      process.arguments = launcher.arguments
      process.environment = ["OMP_NUM_THREADS": "\(threads)"]
        .merging(ProcessInfo.processInfo.environment) { $1 }
        .merging(place.environment) { $1 }
        .merging([ProcessLauncher.variable: isRestart ? "resume" : "begin"]) { $1 }
      process.standardInput = lifeline.fileHandleForReading
      var log: URL?
      if rank > 0 {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-process-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: url.path, contents: nil)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: url)
        log = url
      }
      do {
        try process.run()
      } catch {
        for other in processes { kill(other.processIdentifier, SIGKILL) }
        throw ProcessLaunchError.cannotStart(launcher.program.path, reason: "\(error)")
      }
      processes.append(process)
      logs.append(log)
    }
    (self.processes, self.logs) = (processes, logs)
  }

  deinit {
    for log in logs.compactMap({ $0 }) { try? FileManager.default.removeItem(at: log) }
  }

  func waitForAll(grace: Duration, isInterrupted: () -> Bool) throws {
    var (isSignalled, deadline): (Bool, ContinuousClock.Instant?) = (false, nil)
    while processes.contains(where: \.isRunning) {
      if !isSignalled, isInterrupted() {
        isSignalled = true
        signal(SIGINT)
      }
      if deadline == nil, processes.contains(where: { !$0.isRunning && !Self.hasSucceeded($0) }) {
        deadline = .now + grace
      }
      if let due = deadline, .now >= due { signal(SIGKILL) }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  private func signal(_ number: Int32) {
    for process in processes where process.isRunning { kill(process.processIdentifier, number) }
  }

  private static func hasSucceeded(_ process: Process) -> Bool {
    process.terminationReason == .exit && process.terminationStatus == 0
  }

  /// The most likely cause of the failure: an error of a process, or else a crash, or else a lost connection. Lower ranks
  /// come first, because process 0 has reported its error itself.
  var failure: ProcessLaunchError? {
    let failed = processes.enumerated().filter { !Self.hasSucceeded($1) }
    func first(_ predicate: (Process) -> Bool) -> (rank: Int, process: Process)? {
      failed.first { predicate($1) }.map { ($0, $1) }
    }
    let hasLostPeer: (Process) -> Bool = { $0.terminationStatus == ProcessLauncher.peerGone }
    if let (rank, process) = first({ $0.terminationReason == .exit && !hasLostPeer($0) }) {
      return .failed(rank: rank, count: processes.count, status: process.terminationStatus, message: message(of: rank))
    }
    if let (rank, process) = first({ $0.terminationReason == .uncaughtSignal }) {
      return .died(rank: rank, count: processes.count, signal: process.terminationStatus)
    }
    return first(hasLostPeer).map { rank, process in
      .failed(
        rank: rank, count: processes.count, status: process.terminationStatus,
        message: "it lost the connection to the others")
    }
  }

  /// The last line of a process's standard error, without "Error: ".
  private func message(of rank: Int) -> String {
    guard let log = logs[rank], let text = try? String(contentsOf: log, encoding: .utf8) else { return "" }
    let line = text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    return line.hasPrefix("Error: ") ? String(line.dropFirst("Error: ".count)) : line
  }
}

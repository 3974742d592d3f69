import CALMSupport
import Foundation
import Torch

/// Runs a program as several processes of this machine that train together, and begins anew from the last checkpoint
/// when one dies.
///
/// Process 0 has the standard output and error of this one; what the others say on standard error is kept, and told
/// where process 0 does not say what is wrong. When one process ends early, the others notice by themselves that it is
/// gone; whoever has not ended ``grace`` later is killed.
public struct ProcessLauncher {
  /// The program.
  public var program: URL
  /// Its arguments, the same for all processes.
  public var arguments: [String]
  /// How many processes.
  public var count: Int
  /// How often they may be started again after one has died.
  public var restarts: Int
  /// How long the others have to end after one of them has.
  public var grace = Duration.seconds(10)

  /// A program to be run as `count` processes.
  public init(_ program: URL, arguments: [String], count: Int, restarts: Int = 0) {
    (self.program, self.arguments, self.count, self.restarts) = (program, arguments, count, restarts)
  }

  /// The variable that is set in each process: "begin", or after a restart "resume".
  public static let variable = "CALM_LAUNCH"
  /// The status of a process that ended because another one was gone.
  public static let peerGone: Int32 = 75

  /// Runs the processes to their end.
  ///
  /// - Parameters:
  ///   - isInterrupted: asked again and again; when it becomes true the processes are told by SIGINT, once.
  ///   - willRestart: told before each restart what happened.
  /// - Returns: the status to end with: 0, or that of a process which has already said on standard error what is wrong.
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

/// Processes that did not all come to a good end.
public enum ProcessLaunchError: DescribedError, Equatable {
  /// The system does not run the program.
  case cannotStart(String, reason: String)
  /// A signal ended it.
  case died(rank: Int, count: Int, signal: Int32)
  /// It ended with a status that is not 0.
  case failed(rank: Int, count: Int, status: Int32, message: String)

  /// One line: the program or the process, and what happened.
  public var description: String {
    switch self {
    case .cannotStart(let program, let reason): "\(program): cannot be started: \(reason)"
    case .died(let rank, let count, let signal):
      "process \(rank) of \(count) was ended by \(Self.name(signal)); the others have stopped"
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
  /// Where what a process says on standard error is kept; nil for the first, which says it here.
  private let logs: [URL?]
  /// A pipe that nobody writes to: the processes see its end when this one is gone.
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
    var (isTold, deadline): (Bool, ContinuousClock.Instant?) = (false, nil)
    while processes.contains(where: \.isRunning) {
      if !isTold, isInterrupted() {
        isTold = true
        signal(SIGINT)
      }
      if deadline == nil, processes.contains(where: { !$0.isRunning && !Self.isGood($0) }) {
        deadline = .now + grace
      }
      if let due = deadline, .now >= due { signal(SIGKILL) }
      Thread.sleep(forTimeInterval: 0.02)
    }
  }

  private func signal(_ number: Int32) {
    for process in processes where process.isRunning { kill(process.processIdentifier, number) }
  }

  private static func isGood(_ process: Process) -> Bool {
    process.terminationReason == .exit && process.terminationStatus == 0
  }

  /// What went wrong first: a death before a failure, and either before the failures of those who missed the others.
  /// Process 0 goes before the others, because it has told its reason.
  var failure: ProcessLaunchError? {
    let bad = processes.enumerated().filter { !Self.isGood($1) }
    func first(_ isWanted: (Process) -> Bool) -> (rank: Int, process: Process)? {
      bad.first { isWanted($1) }.map { ($0, $1) }
    }
    let isLate: (Process) -> Bool = { $0.terminationStatus == ProcessLauncher.peerGone }
    if let (rank, process) = first({ $0.terminationReason == .exit && !isLate($0) }) {
      return .failed(rank: rank, count: processes.count, status: process.terminationStatus, message: message(of: rank))
    }
    if let (rank, process) = first({ $0.terminationReason == .uncaughtSignal }) {
      return .died(rank: rank, count: processes.count, signal: process.terminationStatus)
    }
    return first(isLate).map { rank, process in
      .failed(rank: rank, count: processes.count, status: process.terminationStatus, message: "it lost the others")
    }
  }

  /// The last line that a process has said, without "Error: ".
  private func message(of rank: Int) -> String {
    guard let log = logs[rank], let text = try? String(contentsOf: log, encoding: .utf8) else { return "" }
    let line = text.split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
    return line.hasPrefix("Error: ") ? String(line.dropFirst("Error: ".count)) : line
  }
}

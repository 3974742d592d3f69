import CALMSupport
import Foundation

/// A process's hold on a run: no other process trains it meanwhile, and whoever looks on learns what became of it.
///
/// The hold is a lock on the file `lock`, which the system takes back when the process ends, however it ends. So a run
/// that says it is running, and whose lock is free, has crashed: no process number that another process got since, and no
/// heartbeat that a slow step misses, can deceive.
public final class RunLock {
  private let run: URL
  private let descriptor: Int32
  private var status: RunStatus?

  /// Takes the run in `url`, an existing folder.
  ///
  /// - Throws: ``TrainingError/runTaken(_:)`` where a process has it, ``FileError`` where the system refuses.
  init(_ url: URL) throws {
    let descriptor = open(Self.lockPath(of: url), O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    if descriptor < 0 { throw FileError("create", Self.lockPath(of: url)) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      close(descriptor)
      if code == EWOULDBLOCK { throw TrainingError.runTaken(url.path) }
      throw FileError("lock", Self.lockPath(of: url), code: code)
    }
    (run, self.descriptor) = (url, descriptor)
  }

  deinit { close(descriptor) }

  /// Says that the run is being trained.
  func begin(totalSteps: Int) throws {
    let status = RunStatus(totalSteps: totalSteps)
    try status.write(to: run)
    self.status = status
  }

  /// Says how it ended, and lets go of the run.
  func end(_ state: RunState, reason: String? = nil) throws {
    status?.state = state
    status?.ended = Date()
    status?.reason = reason
    defer { _ = flock(descriptor, LOCK_UN) }
    try status?.write(to: run)
  }

  /// Whether a process has a run.
  static func isHeld(_ url: URL) -> Bool {
    let descriptor = open(lockPath(of: url), O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return false }
    defer { close(descriptor) }
    // A shared lock is enough to ask, and two who ask at once do not deceive each other.
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  private static func lockPath(of run: URL) -> String { run.appendingPathComponent("lock").path }
}

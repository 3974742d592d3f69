import CALMSupport
import Foundation

/// An exclusive lock on a run: only one process trains it at a time, and others can see whether it is being trained.
///
/// The lock is an advisory lock on the file `lock`, which the system releases when the process ends for any reason. A run
/// whose status is `running` but whose lock is free has therefore crashed. Unlike a process id or a heartbeat, this is
/// reliable: process ids are reused, and a slow step delays a heartbeat.
public final class RunLock {
  private let run: URL
  private let descriptor: Int32
  private var status: RunStatus?

  /// Locks the run in `url`, an existing folder.
  ///
  /// - Throws: ``TrainingError/runTaken(_:)`` if another process holds the lock, or ``FileError``.
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

  /// Records that the run is being trained.
  func begin(totalSteps: Int) throws {
    let status = RunStatus(totalSteps: totalSteps)
    try status.write(to: run)
    self.status = status
  }

  /// Records how training ended, and releases the lock.
  func end(_ state: RunState, reason: String? = nil) throws {
    status?.state = state
    status?.ended = Date()
    status?.reason = reason
    defer { _ = flock(descriptor, LOCK_UN) }
    try status?.write(to: run)
  }

  /// Whether a process holds the lock of a run.
  static func isHeld(_ url: URL) -> Bool {
    let descriptor = open(lockPath(of: url), O_RDONLY | O_CLOEXEC)
    if descriptor < 0 { return false }
    defer { close(descriptor) }
    // With shared locks, two processes that check at the same time do not block each other.
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  private static func lockPath(of run: URL) -> String { run.appendingPathComponent("lock").path }
}

import NIOCore
import Synchronization

/// The open connections of a server. When their maximum is reached, the one that has been idle longest is closed.
///
/// A connection is idle while it has no request. Without this, clients that send nothing would keep all others out until
/// their deadlines.
final class OpenConnections: Sendable {
  private struct State {
    var count = 0
    /// The longest idle first.
    var idle: [any Channel] = []
  }

  private let maximum: Int
  private let state = Mutex(State())

  init(maximum: Int) {
    self.maximum = maximum
  }

  /// Counts a new connection, which is idle.
  func opened(_ channel: any Channel) {
    let surplus = state.withLock { state -> (any Channel)? in
      state.count += 1
      state.idle.append(channel)
      // One place stays free, because the server accepts no connection at the maximum.
      return state.count >= maximum && state.idle.count > 1 ? state.idle.removeFirst() : nil
    }
    surplus?.close(promise: nil)
  }

  /// Records that a request began.
  func becameBusy(_ channel: any Channel) {
    state.withLock { state in state.idle.removeAll { $0 === channel } }
  }

  /// Records that no request is left.
  func becameIdle(_ channel: any Channel) {
    state.withLock { $0.idle.append(channel) }
  }

  func closed(_ channel: any Channel) {
    state.withLock { state in
      state.count -= 1
      state.idle.removeAll { $0 === channel }
    }
  }
}

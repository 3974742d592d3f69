import Foundation
import Synchronization

/// Records SIGINT and SIGTERM, so that work can stop in a consistent state. A second signal ends the process
/// immediately.
package enum Interruption {
  private static let requested = Atomic(false)

  /// Whether a signal has arrived.
  package static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Starts recording signals.
  package static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
        Interruption.requested.store(true, ordering: .relaxed)
      }
    }
    // A multithreaded parent process may have blocked them.
    var both = sigset_t()
    sigemptyset(&both)
    sigaddset(&both, SIGINT)
    sigaddset(&both, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
  }
}

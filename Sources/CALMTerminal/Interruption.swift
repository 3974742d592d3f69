import Foundation
import Synchronization

/// SIGINT and SIGTERM, remembered so that work can end where it is whole. A second one, of either kind, ends the process
/// at once.
package enum Interruption {
  private static let requested = Atomic(false)

  /// Whether one has come.
  package static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Begins to remember them.
  package static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
        Interruption.requested.store(true, ordering: .relaxed)
      }
    }
    // A parent of many threads may have handed them down blocked.
    var both = sigset_t()
    sigemptyset(&both)
    sigaddset(&both, SIGINT)
    sigaddset(&both, SIGTERM)
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
  }
}

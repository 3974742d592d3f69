import Foundation
import Synchronization

/// SIGINT and SIGTERM, remembered so that work can end where it is whole. A second one ends the process at once.
enum Interruption {
  private static let requested = Atomic(false)

  /// Whether one has come.
  static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Begins to remember them.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        // The next one, of either kind, has the system's effect.
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
        Interruption.requested.store(true, ordering: .relaxed)
      }
    }
  }
}

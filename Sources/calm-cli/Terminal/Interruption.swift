import Foundation
import Synchronization

/// SIGINT and SIGTERM, remembered so that work can end where it is whole. A second one, of either kind, ends the process
/// at once.
enum Interruption {
  private static let requested = Atomic(false)

  /// Whether one has come.
  static var isRequested: Bool { requested.load(ordering: .relaxed) }

  /// Begins to remember them.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
        Interruption.requested.store(true, ordering: .relaxed)
      }
    }
  }
}

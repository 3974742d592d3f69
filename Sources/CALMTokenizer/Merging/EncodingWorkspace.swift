import Foundation

/// The mutable state of an encoding call.
final class EncodingWorkspace {
  let cache = PieceCache()
  var merger = PieceMerger()
}

/// The pool of workspaces of a tokenizer.
///
/// A tokenizer is shared between threads but a workspace is not, so each call borrows one. Workspaces keep their caches
/// between calls, so many short calls are as fast as a long one.
final class EncodingWorkspacePool: @unchecked Sendable {
  private let lock = NSLock()
  private var idle: [EncodingWorkspace] = []

  func withWorkspace<Result>(_ body: (EncodingWorkspace) -> Result) -> Result {
    let workspace = lock.withLock { idle.popLast() } ?? EncodingWorkspace()
    defer { lock.withLock { idle.append(workspace) } }
    return body(workspace)
  }
}

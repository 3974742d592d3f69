import Foundation

/// The memory that one call of encoding writes to.
final class EncodingWorkspace {
  let cache = PieceCache()
  var merger = PieceMerger()
}

/// The workspaces of one tokenizer.
///
/// A tokenizer is shared between threads but a workspace is not, so each call borrows one. It comes back with what it
/// has learnt of the text's words, which makes many short calls as fast as a long one.
final class EncodingWorkspacePool: @unchecked Sendable {
  private let lock = NSLock()
  private var idle: [EncodingWorkspace] = []

  func withWorkspace<Result>(_ body: (EncodingWorkspace) -> Result) -> Result {
    let workspace = lock.withLock { idle.popLast() } ?? EncodingWorkspace()
    defer { lock.withLock { idle.append(workspace) } }
    return body(workspace)
  }
}

import Foundation

/// An operation on a file that the system refused, with its reason in one line.
public struct FileError: DescribedError, Equatable, Sendable {
  /// What was tried, as a verb that fits after "cannot": `write`, `create`, `rename`.
  public let operation: String
  /// The file or folder it was tried on.
  public let path: String
  /// The `errno` of the refusal.
  public let code: Int32

  /// Records a refusal; `code` is the current `errno` unless given.
  public init(_ operation: String, _ path: String, code: Int32 = errno) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  /// One line: the operation, the file, the reason, what to do.
  public var description: String {
    let remedy =
      switch code {
      case ENOSPC, EDQUOT, EFBIG: "; free some space and run again (nothing was replaced)"
      case EACCES, EPERM, EROFS: "; check the permissions of the file and its folder"
      case ENOENT, ENOTDIR: operation == "read" ? "; check the path" : "; check that the folder exists"
      default: ""
      }
    return "cannot \(operation) \(path): \(String(cString: strerror(code)))\(remedy)"
  }
}

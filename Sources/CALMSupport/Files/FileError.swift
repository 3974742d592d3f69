import Foundation

/// A failed operation on a file or folder.
public struct FileError: DescribedError, Equatable, Sendable {
  /// The operation, as a verb that fits after "cannot": `write`, `create`, `rename`.
  public let operation: String
  /// The path of the file or folder.
  public let path: String
  /// The `errno` of the failure.
  public let code: Int32

  /// Creates an error; `code` defaults to the current `errno`.
  public init(_ operation: String, _ path: String, code: Int32 = errno) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  /// One line: the operation, the path, the reason and what to do.
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

import CALMSupport
import Foundation

/// A file of API keys.
enum KeyFile {
  /// The keys of a file, one a line. Empty lines and those that begin with # do not count.
  ///
  /// - Throws: if the file cannot be read, has no key or a key that a header cannot hold.
  static func read(_ path: String) throws -> [String] {
    let text = try String(contentsOf: URL(fileURLWithPath: path), encoding: .utf8)
    let keys = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    guard !keys.isEmpty else { throw KeyFileError.noKey(path) }
    guard keys.allSatisfy({ $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }) else {
      throw KeyFileError.notPrintable(path)
    }
    return keys
  }
}

private enum KeyFileError: DescribedError {
  case noKey(String)
  case notPrintable(String)

  var description: String {
    switch self {
    case .noKey(let path): "\(path): contains no key; write one a line"
    case .notPrintable(let path): "\(path): a key has a space or a character outside ASCII; use letters and digits"
    }
  }
}

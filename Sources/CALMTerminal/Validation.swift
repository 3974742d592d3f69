import ArgumentParser
import CALMSupport
import Foundation

/// Throws a usage error that lists all problems in one line, if there are any.
package func refuse(_ problems: [String]) throws {
  if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
}

/// Throws a usage error if a value is not above zero.
package func positive(_ name: String, _ value: Int?) throws {
  if let value, value <= 0 { throw ValidationError("\(name) must be above 0, not \(value)") }
}

/// Throws if the folder of `file` does not exist.
package func requireParentFolder(of file: URL) throws {
  var isFolder: ObjCBool = false
  let folder = file.deletingLastPathComponent().path
  guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
    throw MissingFolder(path: folder)
  }
}

private struct MissingFolder: DescribedError {
  let path: String
  var description: String { "\(path): no such folder; create it or choose another path" }
}

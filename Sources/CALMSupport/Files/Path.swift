/// Path components. Foundation's equivalents trap on a relative path of one character (Swift 6.3).
extension String {
  /// The path of the parent folder; empty for a bare name.
  package var parentPath: String { String(lastStep.parent) }

  /// The last component of the path.
  package var lastName: String { String(lastStep.name) }

  /// The path of `name` in the folder with this path.
  package func appendingName(_ name: String) -> String {
    isEmpty || hasSuffix("/") ? self + name : self + "/" + name
  }

  private var lastStep: (parent: Substring, name: Substring) {
    let path = Self.withoutSlash(self[...])
    guard let slash = path.lastIndex(of: "/") else { return ("", path) }
    let parent = Self.withoutSlash(path[...slash])
    return (parent, path[path.index(after: slash)...])
  }

  /// The path without trailing slashes, except for the root.
  private static func withoutSlash(_ path: Substring) -> Substring {
    var path = path
    while path.utf8.count > 1 && path.hasSuffix("/") { path.removeLast() }
    return path
  }
}

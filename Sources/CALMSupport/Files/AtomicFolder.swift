import Foundation

/// A folder that appears under its name complete or not at all.
///
/// Its content is gathered in a temporary folder beside the target; ``commit()`` renames it. What is not committed is
/// removed when the object goes away, and what a killed process left behind is removed by the next one. Replacing a folder
/// takes two renames: if a process is killed between them, ``recover(_:)`` restores the replaced folder.
package final class AtomicFolder {
  /// Where the content goes.
  package let temporaryPath: String

  private let path: String
  private let replaces: Bool
  private var committed = false

  /// Makes the temporary folder.
  ///
  /// - Parameters:
  ///   - path: the target, which is absent, an empty folder, or to be replaced.
  ///   - replacing: whether the target is there and gives way.
  /// - Throws: ``FileError``.
  package init(at path: String, replacing: Bool = false) throws {
    // A trailing slash would make the name of the folder empty.
    let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    self.path = path
    replaces = replacing
    let parent = path.parentPath
    temporaryPath = Self.temporaryPath(for: path)
    if !parent.isEmpty {
      do {
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      } catch {
        throw FileError("create the folder", parent)
      }
    }
    Self.recover(path)
    if mkdir(temporaryPath, 0o777) != 0 { throw FileError("create the folder", temporaryPath) }
  }

  deinit {
    if !committed { try? FileManager.default.removeItem(atPath: temporaryPath) }
  }

  /// Gives the folder its name, in place of the older one if there is one.
  package func commit() throws {
    try AtomicFile.synchronizeFolder(temporaryPath)
    let retired = temporaryPath + Self.retiredSuffix
    if replaces, rename(path, retired) != 0 { throw FileError("replace the folder", path) }
    if rename(temporaryPath, path) != 0 {
      let error = FileError("rename a temporary folder to", path)
      if replaces { rename(retired, path) }
      throw error
    }
    committed = true
    try AtomicFile.synchronizeFolder(path.parentPath)
    if replaces { try? FileManager.default.removeItem(atPath: retired) }
  }

  /// Removes a folder, which meanwhile too stands under its name complete or not at all: it is renamed first, and what a
  /// killed process left of it is removed by the next one.
  ///
  /// - Throws: ``FileError`` where it cannot be renamed.
  package static func remove(at path: String) throws {
    let retired = temporaryPath(for: path)
    if rename(path, retired) != 0 { throw FileError("remove the folder", path) }
    try AtomicFile.synchronizeFolder(path.parentPath)
    try? FileManager.default.removeItem(atPath: retired)
  }

  /// Whether a folder can appear at `path` without anything giving way: nothing is there, or an empty folder.
  package static func isFree(_ path: String) -> Bool {
    if !FileManager.default.fileExists(atPath: path) { return true }
    return (try? FileManager.default.contentsOfDirectory(atPath: path))?.isEmpty ?? false
  }

  /// Restores the folder at `path` if a process was killed between the two renames that replace it, and removes the
  /// temporary folders of dead processes.
  package static func recover(_ path: String) {
    let prefix = temporaryPrefix(for: path)
    for name in names(in: path.parentPath) where name.hasPrefix(prefix) {
      // The process, a random number, and for a folder that is being replaced a suffix.
      let tag = name.dropFirst(prefix.count).split(separator: "-")
      guard let process = tag.first.flatMap({ pid_t($0) }), kill(process, 0) != 0, errno == ESRCH else { continue }
      let leftover = path.parentPath.appendingName(name)
      if !name.hasSuffix(retiredSuffix) || !restore(leftover, to: path) {
        try? FileManager.default.removeItem(atPath: leftover)
      }
    }
  }

  /// Restores every folder in `parent` whose replacement was not finished. The caller must hold a lock that keeps other
  /// processes from writing there.
  package static func recoverAll(in parent: String) {
    for name in names(in: parent) where name.hasPrefix(".") && name.hasSuffix(retiredSuffix) {
      guard let mark = name.range(of: temporaryMark, options: .backwards) else { continue }
      let original = String(name[..<mark.lowerBound].dropFirst())
      if !original.isEmpty { restore(parent.appendingName(name), to: parent.appendingName(original)) }
    }
  }

  /// Gives a replaced folder its name back, unless the replacement already has that name.
  @discardableResult
  private static func restore(_ retired: String, to path: String) -> Bool {
    !FileManager.default.fileExists(atPath: path) && rename(retired, path) == 0
  }

  private static func names(in parent: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: parent.isEmpty ? "." : parent)) ?? []
  }

  /// A name beside `path` that only this process gives, and that ``recover(_:)`` knows.
  private static func temporaryPath(for path: String) -> String {
    let name = "\(temporaryPrefix(for: path))\(getpid())-\(UInt16.random(in: .min ... .max))"
    return path.parentPath.appendingName(name)
  }

  private static func temporaryPrefix(for path: String) -> String {
    ".\(path.lastName)\(temporaryMark)"
  }

  private static let temporaryMark = ".partial-"
  /// Ends the name of a folder while it is being replaced.
  private static let retiredSuffix = "-old"
}

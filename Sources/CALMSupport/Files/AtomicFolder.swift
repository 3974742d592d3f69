import Foundation

/// A folder that is created atomically: it is either complete or absent.
///
/// The content is written to a temporary folder next to the target, which ``commit()`` renames. An uncommitted folder
/// is removed when the object is released, and the leftovers of a killed process are removed by the next one.
/// Replacing a folder takes two renames; if a process is killed between them, ``recover(_:)`` restores the replaced
/// folder.
package final class AtomicFolder {
  /// The path of the temporary folder, to which the content is written.
  package let temporaryPath: String

  private let path: String
  private let replaces: Bool
  private var committed = false

  /// Creates the temporary folder.
  ///
  /// - Parameters:
  ///   - path: The target, which is absent, an empty folder, or a folder to replace.
  ///   - replacing: Whether the target exists and is replaced.
  /// - Throws: ``FileError``.
  package init(at path: String, replacing: Bool = false) throws {
    // With a trailing slash, the name of the folder would be empty.
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

  /// Renames the temporary folder to the target, replacing an existing folder.
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

  /// Removes a folder atomically. The folder is first renamed, and the leftovers of a killed process are removed by the
  /// next one.
  ///
  /// - Throws: ``FileError`` if the folder cannot be renamed.
  package static func remove(at path: String) throws {
    let retired = temporaryPath(for: path)
    if rename(path, retired) != 0 { throw FileError("remove the folder", path) }
    try AtomicFile.synchronizeFolder(path.parentPath)
    try? FileManager.default.removeItem(atPath: retired)
  }

  /// Whether a folder can be created at `path` without replacing anything: the path is absent or an empty folder.
  package static func isFree(_ path: String) -> Bool {
    if !FileManager.default.fileExists(atPath: path) { return true }
    return (try? FileManager.default.contentsOfDirectory(atPath: path))?.isEmpty ?? false
  }

  /// Restores the folder at `path` if a process was killed between the two renames of its replacement, and removes the
  /// temporary folders of dead processes.
  package static func recover(_ path: String) {
    let prefix = temporaryPrefix(for: path)
    for name in names(in: path.parentPath) where name.hasPrefix(prefix) {
      // The process id, a random number and, for a folder being replaced, a suffix.
      let tag = name.dropFirst(prefix.count).split(separator: "-")
      guard let process = tag.first.flatMap({ pid_t($0) }), kill(process, 0) != 0, errno == ESRCH else { continue }
      let leftover = path.parentPath.appendingName(name)
      if !name.hasSuffix(retiredSuffix) || !restore(leftover, to: path) {
        try? FileManager.default.removeItem(atPath: leftover)
      }
    }
  }

  /// Restores every folder in `parent` whose replacement was not completed. The caller must hold a lock that prevents
  /// other processes from writing there.
  package static func recoverAll(in parent: String) {
    for name in names(in: parent) where name.hasPrefix(".") && name.hasSuffix(retiredSuffix) {
      guard let mark = name.range(of: temporaryMark, options: .backwards) else { continue }
      let original = String(name[..<mark.lowerBound].dropFirst())
      if !original.isEmpty { restore(parent.appendingName(name), to: parent.appendingName(original)) }
    }
  }

  /// Renames a replaced folder back to its original name, unless the replacement already exists.
  @discardableResult
  private static func restore(_ retired: String, to path: String) -> Bool {
    !FileManager.default.fileExists(atPath: path) && rename(retired, path) == 0
  }

  private static func names(in parent: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: parent.isEmpty ? "." : parent)) ?? []
  }

  /// A path next to `path` that is unique to this process and recognized by ``recover(_:)``.
  private static func temporaryPath(for path: String) -> String {
    let name = "\(temporaryPrefix(for: path))\(getpid())-\(UInt16.random(in: .min ... .max))"
    return path.parentPath.appendingName(name)
  }

  private static func temporaryPrefix(for path: String) -> String {
    ".\(path.lastName)\(temporaryMark)"
  }

  private static let temporaryMark = ".partial-"
  /// The suffix of a folder's name while it is being replaced.
  private static let retiredSuffix = "-old"
}

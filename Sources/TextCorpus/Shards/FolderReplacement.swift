import Files
import Foundation

/// A folder that appears under its name complete or not at all.
///
/// Its content is gathered in a temporary folder beside the target; ``commit()`` renames it. What is not committed is
/// removed when the object goes away, and what a killed process left behind is removed by the next one.
final class FolderReplacement {
  /// Where the content goes.
  let temporaryPath: String

  private let path: String
  private let replaces: Bool
  private var committed = false

  /// Makes the temporary folder.
  ///
  /// - Throws: ``DataSetError/targetExists(path:isDataSet:)`` unless the target is absent, an empty folder, or a data
  /// set that may be overwritten.
  init(of path: String, overwrite: Bool) throws {
    // A trailing slash would make the name of the folder empty.
    let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    self.path = path
    replaces = try Self.mustReplace(path, overwrite: overwrite)
    let parent = (path as NSString).deletingLastPathComponent
    let prefix = ".\((path as NSString).lastPathComponent).partial-"
    temporaryPath = (parent as NSString).appendingPathComponent(
      "\(prefix)\(getpid())-\(UInt16.random(in: .min ... .max))")
    if !parent.isEmpty {
      do {
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      } catch {
        throw FileError("create the folder", parent)
      }
    }
    Self.removeLeftovers(in: parent.isEmpty ? "." : parent, prefix: prefix)
    if mkdir(temporaryPath, 0o777) != 0 { throw FileError("create the folder", temporaryPath) }
  }

  deinit {
    if !committed { try? FileManager.default.removeItem(atPath: temporaryPath) }
  }

  /// Gives the folder its name, in place of the older data set if there is one.
  func commit() throws {
    try AtomicFile.synchronizeFolder(temporaryPath)
    let retired = temporaryPath + "-old"
    if replaces, rename(path, retired) != 0 { throw FileError("replace the folder", path) }
    if rename(temporaryPath, path) != 0 {
      let error = FileError("rename a temporary folder to", path)
      if replaces { rename(retired, path) }
      throw error
    }
    committed = true
    try AtomicFile.synchronizeFolder((path as NSString).deletingLastPathComponent)
    if replaces { try? FileManager.default.removeItem(atPath: retired) }
  }

  private static func mustReplace(_ path: String, overwrite: Bool) throws -> Bool {
    guard FileManager.default.fileExists(atPath: path) else { return false }
    if let names = try? FileManager.default.contentsOfDirectory(atPath: path), names.isEmpty { return false }
    let isDataSet = (try? TokenDataSet.manifest(path: path)) != nil
    guard isDataSet && overwrite else { throw DataSetError.targetExists(path: path, isDataSet: isDataSet) }
    return true
  }

  /// Removes temporary folders of processes that are no more.
  private static func removeLeftovers(in parent: String, prefix: String) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
    for name in names where name.hasPrefix(prefix) {
      // A data set that was being replaced has a third part to its tag and is never removed here.
      let tag = name.dropFirst(prefix.count).split(separator: "-")
      guard tag.count == 2, let process = pid_t(tag[0]) else { continue }
      if kill(process, 0) != 0 && errno == ESRCH {
        try? FileManager.default.removeItem(atPath: (parent as NSString).appendingPathComponent(name))
      }
    }
  }
}

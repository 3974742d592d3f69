import Foundation

/// An input of a corpus, which is an existing file or standard input, with its format.
struct CorpusFile: Equatable {
  enum Compression: Equatable {
    case none, gzip, zstandard
  }

  /// The path, or `-` for standard input.
  var path: String
  var compression: Compression
  var isJSONLines: Bool
  /// The file size in bytes; nil for standard input, pipes and devices.
  var size: Int?
  /// The named folder in which the file was found; nil if the file itself was named.
  var folder: String?

  /// The name in messages.
  var displayName: String { path == "-" ? "standard input" : path }

  /// Extensions of the files that are read from folders, optionally followed by `.gz` or `.zst`.
  static let endings = ["txt", "text", "md", "jsonl", "ndjson"]
  /// Files with the extension `.json` may be JSON Lines, but in folders most are not, so they are read only if named.
  private static let jsonLinesEndings: Set<String> = ["jsonl", "ndjson", "json"]

  /// Expands `paths` in order. Folders expand recursively to their files with known extensions, and patterns to their
  /// matches; both are sorted by the bytes of the paths.
  static func expand(_ paths: [String], format: CorpusFormat) throws -> [CorpusFile] {
    if paths.isEmpty { throw CorpusError.noPaths }
    return try paths.flatMap { path in
      if path == "-" {
        return [CorpusFile(path: path, compression: .none, isJSONLines: format == .jsonLines)]
      }
      if (try? status(path)) == nil, path.contains(where: { "*?[".contains($0) }) {
        return try matches(path).flatMap { try expandOne($0, format: format) }
      }
      return try expandOne(path, format: format)
    }
  }

  private static func expandOne(_ path: String, format: CorpusFormat) throws -> [CorpusFile] {
    let status = try status(path)
    guard isFolder(status) else {
      let file = try CorpusFile(named: path, status: status, format: format)
      if file.size == 0 { throw CorpusError.empty(path: path) }
      return [file]
    }
    var files: [CorpusFile] = []
    try collect(in: path, root: path, format: format, ancestors: [FolderIdentity(status)], into: &files)
    if files.isEmpty { throw CorpusError.noText(folder: path, endings: endings) }
    return files
  }

  private init(named path: String, status: stat, format: CorpusFormat) throws {
    if access(path, R_OK) != 0 { throw CorpusError.unreadable(path: path, reason: systemReason(errno)) }
    let (ending, compression) = Self.ending(of: path)
    self.path = path
    self.compression = compression
    isJSONLines =
      switch format {
      case .automatic: Self.jsonLinesEndings.contains(ending)
      case .text: false
      case .jsonLines: true
      }
    size = status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
  }

  private init(path: String, compression: Compression, isJSONLines: Bool) {
    self.path = path
    self.compression = compression
    self.isJSONLines = isJSONLines
  }

  /// Adds the files below `folder`, except hidden and empty files. Symbolic links are followed unless they form a
  /// cycle.
  private static func collect(
    in folder: String, root: String, format: CorpusFormat, ancestors: [FolderIdentity], into files: inout [CorpusFile]
  ) throws {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw CorpusError.unreadable(path: folder, reason: "the folder cannot be listed")
    }
    for name in names.sorted(by: precedes) where !name.hasPrefix(".") {
      let path = (folder as NSString).appendingPathComponent(name)
      let isKnown = endings.contains(ending(of: path).ending)
      // A broken link is an error only if it has the name of a text file.
      guard let status = isKnown ? try status(path) : try? status(path) else { continue }
      if isFolder(status) {
        let identity = FolderIdentity(status)
        if ancestors.contains(identity) { continue }
        try collect(in: path, root: root, format: format, ancestors: ancestors + [identity], into: &files)
      } else if isKnown, status.st_size > 0 {
        var file = try CorpusFile(named: path, status: status, format: format)
        file.folder = root
        files.append(file)
      }
    }
  }

  /// The extension that determines the format, in lower case, and the compression given by an outer extension.
  private static func ending(of path: String) -> (ending: String, compression: Compression) {
    let outer = (path as NSString).pathExtension.lowercased()
    let compression: Compression =
      switch outer {
      case "gz": .gzip
      case "zst": .zstandard
      default: .none
      }
    if compression == .none { return (outer, compression) }
    let inner = ((path as NSString).deletingPathExtension as NSString).pathExtension.lowercased()
    return (inner, compression)
  }

  private static func matches(_ pattern: String) throws -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(pattern, GLOB_NOSORT, nil, &found) == 0, let names = found.gl_pathv else {
      throw CorpusError.noMatch(pattern: pattern)
    }
    return (0..<Int(found.gl_pathc)).compactMap { names[$0].map { String(cString: $0) } }.sorted(by: precedes)
  }

  private static func status(_ path: String) throws -> stat {
    var status = stat()
    if stat(path, &status) == 0 { return status }
    if errno == ENOENT || errno == ENOTDIR { throw CorpusError.missing(path: path) }
    throw CorpusError.unreadable(path: path, reason: systemReason(errno))
  }

  private static func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

  /// Compares bytes, so that the order does not depend on the locale.
  private static func precedes(_ a: String, _ b: String) -> Bool { a.utf8.lexicographicallyPrecedes(b.utf8) }
}

/// The identity of a folder, independent of its path.
private struct FolderIdentity: Equatable {
  let device: UInt64
  let node: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    node = UInt64(status.st_ino)
  }
}

/// The operating system's message for an error number.
func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }

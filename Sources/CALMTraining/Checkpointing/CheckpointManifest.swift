import CALMSupport
import Foundation

/// `checksums.json` of a checkpoint: the size and CRC-32 of each of its files, which reveal truncated and changed files.
struct CheckpointManifest: Codable {
  private struct Entry: Codable, Equatable {
    var bytes: Int
    var crc32: UInt32
  }

  /// The entries by path within the checkpoint.
  private var files: [String: Entry]

  private static let name = "checksums.json"

  /// Writes the manifest of a checkpoint whose other files are complete.
  static func write(to folder: URL) throws {
    var manifest = CheckpointManifest(files: [:])
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      let file = folder.appendingPathComponent(path).path
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: file, isDirectory: &isFolder), !isFolder.boolValue {
        manifest.files[path] = try entry(of: file)
      }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(try encoder.encode(manifest), to: folder.appendingPathComponent(name).path)
  }

  /// Compares all files of a checkpoint with its manifest. A checkpoint without a manifest is incomplete.
  ///
  /// - Throws: ``TrainingError/damagedCheckpoint(_:_:)`` with the first file that differs, or with the manifest.
  static func check(_ folder: URL) throws {
    let url = folder.appendingPathComponent(name)
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw TrainingError.damagedCheckpoint(url.path, "is missing")
    }
    guard let data = try? Data(contentsOf: url), let manifest = try? JSONDecoder().decode(Self.self, from: data) else {
      throw TrainingError.damagedCheckpoint(url.path, "cannot be read")
    }
    for (path, expected) in manifest.files.sorted(by: { $0.key < $1.key }) {
      let file = folder.appendingPathComponent(path).path
      guard let found = try? entry(of: file) else { throw TrainingError.damagedCheckpoint(file, "cannot be read") }
      if found.bytes != expected.bytes {
        throw TrainingError.damagedCheckpoint(file, "has \(found.bytes) bytes instead of \(expected.bytes)")
      }
      if found != expected {
        throw TrainingError.damagedCheckpoint(file, "has changed since it was written: its checksum differs")
      }
    }
  }

  private static func entry(of path: String) throws -> Entry {
    let file = try ReadableFile(path: path)
    var entry = Entry(bytes: file.size, crc32: 0)
    let part = 1 << 22
    for start in stride(from: 0, to: file.size, by: part) {
      let bytes = try file.bytes(in: start..<min(file.size, start + part))
      entry.crc32 = bytes.withUnsafeBytes { CRC32.checksum(of: $0, after: entry.crc32) }
    }
    return entry
  }
}

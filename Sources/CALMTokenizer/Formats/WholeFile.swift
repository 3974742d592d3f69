import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads and writes whole files; errors include the path.
enum WholeFile {
  /// The maximum file size. A larger file is not a tokenizer and is not read into memory.
  private static let maximumSize = 1 << 29

  static func read(_ url: URL) throws -> [UInt8] {
    let path = url.path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw TokenizerError.unreadable(file: path, reason: "there is no such file")
    }
    guard !isFolder.boolValue else { throw TokenizerError.unreadable(file: path, reason: "it is a folder") }
    do {
      let file = try FileHandle(forReadingFrom: url)
      defer { try? file.close() }
      let data = try file.read(upToCount: maximumSize + 1) ?? Data()
      guard data.count <= maximumSize else {
        throw TokenizerError.unreadable(file: path, reason: "it is larger than any tokenizer")
      }
      return Array(data)
    } catch let error as TokenizerError {
      throw error
    } catch {
      throw TokenizerError.unreadable(file: path, reason: oneLine(error))
    }
  }

  /// Writes `bytes` to a temporary file in the same folder and renames it to `url`, so no partial file is ever visible.
  static func write(_ bytes: [UInt8], to url: URL) throws {
    let path = url.path
    let name = ".\(url.lastPathComponent).\(UUID().uuidString).tmp"
    let temporary = url.deletingLastPathComponent().appendingPathComponent(name)
    let descriptor = open(temporary.path, O_WRONLY | O_CREAT | O_EXCL, 0o666)
    guard descriptor >= 0 else {
      throw TokenizerError.unwritable(file: path, reason: String(cString: strerror(errno)))
    }
    do {
      let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
      try file.write(contentsOf: bytes)
      try file.synchronize()
      try file.close()
      guard rename(temporary.path, path) == 0 else {
        throw TokenizerError.unwritable(file: path, reason: String(cString: strerror(errno)))
      }
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw error as? TokenizerError ?? TokenizerError.unwritable(file: path, reason: oneLine(error))
    }
  }

  private static func oneLine(_ error: any Error) -> String {
    let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
    let text =
      cause.domain == NSPOSIXErrorDomain
      ? String(cString: strerror(Int32(cause.code))) : "\(cause.localizedDescription)"
    return text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}

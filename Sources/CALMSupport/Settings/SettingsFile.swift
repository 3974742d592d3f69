import Foundation

/// A settings file in YAML or JSON.
///
/// Both formats are read as the same JSON value; the caller interprets its members.
package enum SettingsFile {
  /// The maximum file size. A larger file is not a settings file and is not read into memory.
  private static let maximumSize = 1 << 20
  /// The maximum number of values, counting every use of an alias.
  static let maximumCount = 1 << 16

  /// Reads a file whose name ends in `.yaml`, `.yml` or `.json`.
  ///
  /// - Throws: ``SettingsFileError``, or ``FileError`` if the file cannot be read.
  package static func read(_ url: URL) throws -> JSONValue {
    let kind = url.pathExtension.lowercased()
    guard ["yaml", "yml", "json"].contains(kind) else {
      throw SettingsFileError(file: url.path, reason: "not a settings file; use a file ending in .yaml, .yml or .json")
    }
    let file = try ReadableFile(path: url.path)
    guard file.size <= maximumSize else {
      throw SettingsFileError(file: url.path, reason: "larger than 1 MiB, the maximum size of a settings file")
    }
    let bytes = try file.bytes(in: 0..<file.size)
    do {
      return kind == "json"
        ? try JSONParser.parse(bytes, maximumCount: maximumCount) : try YAMLReader.read(bytes)
    } catch let error as JSONSyntaxError {
      throw SettingsFileError(file: url.path, reason: error.reason)
    } catch let error as YAMLSyntaxError {
      throw SettingsFileError(file: url.path, reason: error.reason)
    }
  }
}

/// An error in a settings file.
public struct SettingsFileError: DescribedError, Equatable, Sendable {
  /// The path of the file.
  public let file: String
  /// One line that ends with the position in the file, if there is one.
  public let reason: String

  /// One line: the file, the reason and the position.
  public var description: String { "\(file): \(reason)" }
}

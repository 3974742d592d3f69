import Foundation

/// A file of settings that somebody wrote by hand, in YAML or in JSON.
///
/// Either becomes the same value; what its members mean is the reader's business.
package enum SettingsFile {
  /// No settings come near this size; a file beyond it is something else, and is not read into memory.
  private static let greatestSize = 1 << 20
  /// No settings come near this number of values, counting what is repeated by an alias each time.
  static let greatestCount = 1 << 16

  /// Reads a file whose name ends in `.yaml`, `.yml` or `.json`.
  ///
  /// - Throws: ``SettingsFileError``, or ``FileError`` where the system refuses to read.
  package static func read(_ url: URL) throws -> JSONValue {
    let kind = url.pathExtension.lowercased()
    guard ["yaml", "yml", "json"].contains(kind) else {
      throw SettingsFileError(file: url.path, reason: "settings are read from .yaml, .yml and .json files")
    }
    let file = try ReadableFile(path: url.path)
    guard file.size <= greatestSize else {
      throw SettingsFileError(file: url.path, reason: "larger than 1 MiB, so no file of settings")
    }
    let bytes = try file.bytes(in: 0..<file.size)
    do {
      return kind == "json"
        ? try JSONParser.parse(bytes, greatestCount: greatestCount) : try YAMLReader.read(bytes)
    } catch let error as JSONSyntaxError {
      throw SettingsFileError(file: url.path, reason: error.reason)
    } catch let error as YAMLSyntaxError {
      throw SettingsFileError(file: url.path, reason: error.reason)
    }
  }
}

/// A file that holds no settings: what is wrong with it, and where.
public struct SettingsFileError: DescribedError, Equatable, Sendable {
  /// The file.
  public let file: String
  /// One line that ends with the place in the file, where there is one.
  public let reason: String

  /// One line: the file, the reason, the place.
  public var description: String { "\(file): \(reason)" }
}

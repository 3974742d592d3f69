import CALMSupport
import Foundation

/// The content of `run.json` as named texts, for display and comparison. It does not interpret the settings.
package struct RunDescription {
  /// The kind of model, as named in `calm train`.
  package let kind: String
  /// Steps of the whole run.
  package let steps: Int?
  /// All settings by path, such as `settings.learning_rate`, in the order of the file.
  package let settings: [(name: String, value: String)]

  /// Reads the description of a run.
  ///
  /// - Throws: ``TrainingError/damagedRecord(_:)``.
  package init(of folder: RunFolder) throws {
    guard let data = try? Data(contentsOf: folder.recordURL), let record = try? JSONParser.parse(Array(data)),
      record.object != nil
    else { throw TrainingError.damagedRecord(folder.recordURL.path) }
    kind = record["kind"]?.string ?? "run"
    steps = record["settings"]?["steps"]?.integer
    settings = Self.settings(of: record)
  }

  /// All settings of a record by path.
  package static func settings(of record: JSONValue) -> [(name: String, value: String)] {
    var settings: [(name: String, value: String)] = []
    for member in record.object ?? [] { flatten(member.value, under: member.key, into: &settings) }
    return settings
  }

  private static func flatten(
    _ value: JSONValue, under name: String, into settings: inout [(name: String, value: String)]
  ) {
    switch value {
    case .object(let members):
      for member in members {
        flatten(member.value, under: "\(name).\(member.key)", into: &settings)
      }
    case .string(let text): settings.append((name, text))
    case .null: break
    default: settings.append((name, value.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")))
    }
  }
}

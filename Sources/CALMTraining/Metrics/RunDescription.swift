import CALMSupport
import Foundation

/// What `run.json` says, as it stands: whatever settings a run has, also those of another version of the program, can be
/// shown and compared.
package struct RunDescription {
  /// What is trained, in the words of `calm train`.
  package let kind: String
  /// Steps of the whole run.
  package let steps: Int?
  /// Every setting under its path, such as `settings.learning_rate`, in the order of the file.
  package let settings: [(name: String, value: String)]

  /// Reads a run's.
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

  /// Every setting of a record under its path.
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

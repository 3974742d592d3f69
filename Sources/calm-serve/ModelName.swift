import ArgumentParser
import Foundation

/// The names of served models.
enum ModelName {
  /// The names and folders of the options.
  ///
  /// - Throws: a usage error for an option without a name or folder, or for a name that occurs twice.
  static func all(folder: String?, named: [String]) throws -> [(name: String, folder: String)] {
    var models = folder.map { [(name: name(of: $0), folder: $0)] } ?? []
    for option in named {
      let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { throw ValidationError("--model \(option): give NAME=FOLDER") }
      models.append((parts[0], parts[1]))
    }
    if let twice = models.first(where: { one in models.filter { $0.name == one.name }.count > 1 }) {
      throw ValidationError("two models are named \(twice.name); give each a name with --model NAME=FOLDER")
    }
    return models
  }

  /// The name of a folder: `lm` for `runs/lm/model`.
  static func name(of folder: String) -> String {
    let url = URL(fileURLWithPath: folder).standardizedFileURL
    let name = url.lastPathComponent
    return name == "model" ? url.deletingLastPathComponent().lastPathComponent : name
  }
}

import CALM
import Foundation
import Testing
import Torch

/// Folders of the small language model, which are removed with the object.
final class ScratchModels {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-models-\(UUID().uuidString)")
  let model = SmallModels.languageModel(keyValueHeads: 2)

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// The folder of the model as written by training.
  func saved(_ name: String) throws -> URL {
    let folder = url.appendingPathComponent(name)
    try model.save(to: folder, tokenizer: nil)
    return folder
  }

  /// Sets a key of a folder's `config.json`.
  func setConfiguration(of folder: URL, _ key: String, _ value: Any) throws {
    let file = folder.appendingPathComponent("config.json")
    var settings = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    settings[key] = value
    try JSONSerialization.data(withJSONObject: settings).write(to: file)
  }
}

/// Expects two modules to have the same parameters, bit for bit.
func expectSameParameters(
  _ first: some Module, _ second: some Module, sourceLocation: SourceLocation = #_sourceLocation
) {
  let (first, second) = (first.namedParameters(), second.namedParameters())
  #expect(first.map(\.name) == second.map(\.name), sourceLocation: sourceLocation)
  for (one, other) in zip(first, second) {
    #expect(
      one.tensor.dtype == other.tensor.dtype && one.tensor.shape == other.tensor.shape
        && one.tensor.equals(other.tensor).all(), "\(one.name) differs", sourceLocation: sourceLocation)
  }
}

import CALM
import Foundation
import Torch

/// A model stored in a folder that is removed with this object.
final class TemporaryModel<Model> {
  let model: Model
  let url: URL

  init(_ model: Model, save: (Model, URL) throws -> Void) throws {
    self.model = model
    url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-model-\(UUID().uuidString)")
    try save(model, url)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Changes the stored configuration.
  func edit(_ change: (inout [String: Any]) -> Void) throws {
    let file = url.appendingPathComponent("config.json")
    var values = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any] ?? [:]
    change(&values)
    try JSONSerialization.data(withJSONObject: values).write(to: file)
  }
}

extension TemporaryModel where Model == ContinuousLanguageModel {
  convenience init(_ model: ContinuousLanguageModel) throws {
    try self.init(model) { try $0.save(to: $1, tokenizer: nil) }
  }
}

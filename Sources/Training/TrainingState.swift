import Files
import Foundation
import TextCorpus
import Torch

/// What a checkpoint holds beside the model: all that going on exactly needs.
struct TrainingState {
  /// Steps taken.
  var step: Int
  /// Where the data go on.
  var position: BatchPosition
  /// The state of the generator of noise.
  var generator: Tensor
  /// AdamW's running means by name.
  var moments: [String: Tensor]

  private struct Summary: Codable {
    var step: Int
    var position: BatchPosition
  }

  private static let generatorName = "generator"

  func write(to folder: URL) throws {
    var tensors = moments
    tensors[Self.generatorName] = generator
    try Safetensors.write(tensors, metadata: [:], to: folder.appendingPathComponent("optimizer.safetensors"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try AtomicFile.write(
      try encoder.encode(Summary(step: step, position: position)), to: Self.summaryURL(folder).path)
  }

  init(step: Int, position: BatchPosition, generator: Tensor, moments: [String: Tensor]) {
    (self.step, self.position, self.generator, self.moments) = (step, position, generator, moments)
  }

  init(readFrom folder: URL) throws {
    let url = Self.summaryURL(folder)
    guard let data = try? Data(contentsOf: url), let summary = try? JSONDecoder().decode(Summary.self, from: data)
    else {
      throw TrainingError.damagedState(url.path, "the training state cannot be read")
    }
    let file = try SafetensorsFile(contentsOf: folder.appendingPathComponent("optimizer.safetensors"))
    moments = [:]
    for name in file.names where name != Self.generatorName { moments[name] = try file.tensor(named: name) }
    generator = try file.tensor(named: Self.generatorName)
    (step, position) = (summary.step, summary.position)
  }

  private static func summaryURL(_ folder: URL) -> URL { folder.appendingPathComponent("state.json") }
}

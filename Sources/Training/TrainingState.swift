import Files
import Foundation
import TextCorpus
import Torch

/// What a checkpoint holds beside the model: all that going on exactly needs.
struct TrainingState {
  /// The best evaluation so far.
  struct Best: Codable {
    /// Its name among the figures.
    var figure: String
    var value: Double
    var step: Int
  }

  /// Steps taken.
  var step: Int
  /// Where the data go on.
  var position: BatchPosition
  /// AdamW's running means by name.
  var moments: [String: Tensor]
  /// The weights by name, where the model beside is their average.
  var weights: [String: Tensor] = [:]
  /// The best evaluation, where the run looks for it.
  var best: Best?
  /// Batches left out so far.
  var skipped = 0

  private struct Summary: Codable {
    var step: Int
    var position: BatchPosition
    var best: Best?
    var skipped: Int?
  }

  /// Ends the names of weights, as AdamW's means end theirs.
  private static let weightSuffix = ".value"

  func write(to folder: URL) throws {
    var tensors = moments
    for (name, weight) in weights { tensors[name + Self.weightSuffix] = weight }
    try Safetensors.write(tensors, metadata: [:], to: folder.appendingPathComponent("optimizer.safetensors"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let summary = Summary(step: step, position: position, best: best, skipped: skipped)
    try AtomicFile.write(try encoder.encode(summary), to: Self.summaryURL(folder).path)
  }

  init(step: Int, position: BatchPosition, moments: [String: Tensor]) {
    (self.step, self.position, self.moments) = (step, position, moments)
  }

  init(readFrom folder: URL) throws {
    let url = Self.summaryURL(folder)
    guard let data = try? Data(contentsOf: url), let summary = try? JSONDecoder().decode(Summary.self, from: data)
    else {
      throw TrainingError.damagedState(url.path, "the training state cannot be read")
    }
    let file = try SafetensorsFile(contentsOf: folder.appendingPathComponent("optimizer.safetensors"))
    moments = [:]
    for name in file.names {
      let tensor = try file.tensor(named: name)
      if name.hasSuffix(Self.weightSuffix) {
        weights[String(name.dropLast(Self.weightSuffix.count))] = tensor
      } else {
        moments[name] = tensor
      }
    }
    (step, position, best, skipped) = (summary.step, summary.position, summary.best, summary.skipped ?? 0)
  }

  private static func summaryURL(_ folder: URL) -> URL { folder.appendingPathComponent("state.json") }
}

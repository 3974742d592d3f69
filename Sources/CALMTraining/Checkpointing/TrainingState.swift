import CALMCorpus
import CALMSupport
import Foundation
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
  /// What tells the corpora from others, in their order (``PackedSequences/digest``); nil in checkpoints of versions that
  /// did not write it.
  var data: [UInt64]?
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
    /// In hexadecimal digits, which JSON's readers do not round.
    var data: [String]?
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
    let summary = Summary(
      step: step, position: position, data: data?.map { String($0, radix: 16) }, best: best, skipped: skipped)
    try AtomicFile.write(try encoder.encode(summary), to: Self.summaryURL(folder).path)
  }

  init(step: Int, position: BatchPosition, data: [UInt64], moments: [String: Tensor]) {
    (self.step, self.position, self.data, self.moments) = (step, position, data, moments)
  }

  init(readFrom folder: URL) throws {
    let url = Self.summaryURL(folder)
    guard let json = try? Data(contentsOf: url), let summary = try? JSONDecoder().decode(Summary.self, from: json)
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
    data = summary.data?.map { UInt64($0, radix: 16) ?? 0 }
  }

  private static func summaryURL(_ folder: URL) -> URL { folder.appendingPathComponent("state.json") }
}

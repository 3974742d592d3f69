import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// The part of a checkpoint that an exact resume needs in addition to the model.
struct TrainingState {
  /// The best evaluation so far.
  struct Best: Codable {
    /// The name of the metric.
    var metric: String
    var value: Double
    var step: Int
  }

  /// Steps taken.
  var step: Int
  /// The position in the data.
  var position: BatchPosition
  /// The digests of the corpora, in order (``PackedSequences/digest``).
  var data: [UInt64]
  /// AdamW's moments by name.
  var moments: [String: Tensor]
  /// The weights by name, if the model in the checkpoint is their moving average.
  var weights: [String: Tensor] = [:]
  /// The best evaluation, if the settings name a metric for it.
  var best: Best?
  /// Batches skipped so far.
  var skipped = 0

  /// `state.json`.
  private struct Summary: Codable {
    var step: Int
    var position: BatchPosition
    /// As hexadecimal strings: JSON readers may round large integers.
    var data: [String]
    var best: Best?
    var skipped: Int
  }

  /// Marks the weights among AdamW's moments.
  private static let weightSuffix = ".value"

  init(step: Int, position: BatchPosition, data: [UInt64], moments: [String: Tensor]) {
    (self.step, self.position, self.data, self.moments) = (step, position, data, moments)
  }

  /// Reads the state of a checkpoint.
  ///
  /// - Throws: ``TrainingError/damagedState(_:_:)``, or an error of reading the tensors.
  init(readFrom folder: URL) throws {
    let url = Self.summaryURL(folder)
    guard let json = try? Data(contentsOf: url), let summary = try? JSONDecoder().decode(Summary.self, from: json)
    else { throw TrainingError.damagedState(url.path, "the training state cannot be read") }
    (step, position, best, skipped) = (summary.step, summary.position, summary.best, summary.skipped)
    data = try summary.data.map { text in
      guard let digest = UInt64(text, radix: 16) else {
        throw TrainingError.damagedState(url.path, "the digest '\(text)' of the data is not a hexadecimal number")
      }
      return digest
    }
    moments = [:]
    let file = try SafetensorsFile(contentsOf: folder.appendingPathComponent("optimizer.safetensors"))
    for name in file.names {
      let tensor = try file.tensor(named: name)
      if name.hasSuffix(Self.weightSuffix) {
        weights[String(name.dropLast(Self.weightSuffix.count))] = tensor
      } else {
        moments[name] = tensor
      }
    }
  }

  /// Writes the state into the folder of a checkpoint.
  func write(to folder: URL) throws {
    var tensors = moments
    for (name, weight) in weights { tensors[name + Self.weightSuffix] = weight }
    try Safetensors.write(tensors, metadata: [:], to: folder.appendingPathComponent("optimizer.safetensors"))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let digests = data.map { String($0, radix: 16) }
    let summary = Summary(step: step, position: position, data: digests, best: best, skipped: skipped)
    try AtomicFile.write(try encoder.encode(summary), to: Self.summaryURL(folder).path)
  }

  private static func summaryURL(_ folder: URL) -> URL { folder.appendingPathComponent("state.json") }
}

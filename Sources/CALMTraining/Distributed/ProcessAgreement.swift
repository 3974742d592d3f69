import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// Checks that all processes of a run have the same settings, data and weights. Without this check, differences would go
/// unnoticed and the models would diverge.
struct ProcessAgreement {
  /// Each property as a number, or as a checksum that a Double represents exactly.
  private let properties: [(name: String, value: Double)]

  /// - Parameter state: the state of the checkpoint to resume from; nil for a new run.
  init(
    of task: any TrainingTask, on corpora: [WeightedSequences], settings: TrainingSettings,
    resuming state: TrainingState?
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let position = try state.map { try encoder.encode($0.position) } ?? Data()
    let data = corpora.map { "\($0.sequences.digest) \($0.weight)" }.joined(separator: "\n")
    let parameters = task.module.namedParameters().map { "\($0.name) \($0.tensor.shape)" }.joined(separator: "\n")
    let frozen = task.frozen.reduce(0 as UInt32) { checksum, parameter in
      parameter.tensor.withUnsafeBytes { CRC32.checksum(of: $0, after: checksum) }
    }
    properties = [
      ("step", Double(state?.step ?? 0)),
      ("number of steps", Double(settings.totalSteps)),
      ("batch size", Double(settings.batchSize)),
      ("settings", Self.checksum(of: try encoder.encode(settings))),
      ("data", Self.checksum(of: data.utf8)),
      ("position in the data", Self.checksum(of: position)),
      ("parameters", Self.checksum(of: parameters.utf8)),
      ("weights of the autoencoder", Double(frozen)),
    ]
  }

  /// Compares the properties with those of process 0. All processes call this, and all throw if any of them differs.
  ///
  /// - Throws: ``TrainingError/processesDiffer(_:)`` or ``ProcessGroupError``.
  func check(among group: any DataParallelGroup) throws {
    let own = properties.map { $0.value }
    let first = try group.sum(group.rank == 0 ? own : own.map { _ in 0.0 })
    let differing = try group.sum(zip(own, first).map { $0 == $1 ? 0.0 : 1.0 })
    let names = zip(properties, differing).filter { $0.1 > 0 }.map { $0.0.name }
    if !names.isEmpty { throw TrainingError.processesDiffer(names) }
  }

  private static func checksum(of bytes: some Sequence<UInt8>) -> Double {
    Double(Array(bytes).withUnsafeBytes { CRC32.checksum(of: $0) })
  }
}

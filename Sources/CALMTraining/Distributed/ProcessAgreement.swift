import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// What has to be the same in all processes that train one model: where it differs, they would drift apart unnoticed.
struct ProcessAgreement {
  /// Each thing as a number, or the checksum of its content, that a Double holds exactly.
  private let things: [(name: String, value: Double)]

  /// What a process is about to train.
  ///
  /// - Parameter state: that of the checkpoint it goes on from; nil at the beginning.
  init(
    of task: any TrainingTask, on corpora: [WeightedSequences], settings: TrainingSettings,
    resuming state: TrainingState?
  ) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let position = try state.map { try encoder.encode($0.position) } ?? Data()
    let data = corpora.map { "\($0.blocks.digest) \($0.weight)" }.joined(separator: "\n")
    let parameters = task.module.namedParameters().map { "\($0.name) \($0.tensor.shape)" }.joined(separator: "\n")
    let frozen = task.frozen.reduce(0 as UInt32) { checksum, parameter in
      parameter.tensor.withUnsafeBytes { CRC32.checksum(of: $0, after: checksum) }
    }
    things = [
      ("step", Double(state?.step ?? 0)),
      ("number of steps", Double(settings.totalSteps)),
      ("batch size", Double(settings.batchSize)),
      ("settings", Self.checksum(of: try encoder.encode(settings))),
      ("data", Self.checksum(of: data.utf8)),
      ("place in the data", Self.checksum(of: position)),
      ("parameters", Self.checksum(of: parameters.utf8)),
      ("weights of the autoencoder", Double(frozen)),
    ]
  }

  /// Compares with the first process. All processes call this, and all throw where one differs.
  ///
  /// - Throws: ``TrainingError/processesDiffer(_:)``, and what summing over the processes throws.
  func check(among group: any DataParallelGroup) throws {
    let own = things.map { $0.value }
    let first = try group.sum(group.rank == 0 ? own : own.map { _ in 0.0 })
    let differing = try group.sum(zip(own, first).map { $0 == $1 ? 0.0 : 1.0 })
    let names = zip(things, differing).filter { $0.1 > 0 }.map { $0.0.name }
    if !names.isEmpty { throw TrainingError.processesDiffer(names) }
  }

  private static func checksum(of bytes: some Sequence<UInt8>) -> Double {
    Double(Array(bytes).withUnsafeBytes { CRC32.checksum(of: $0) })
  }
}

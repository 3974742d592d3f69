import CALMCorpus
import CALMReports
import CALMSupport
import CALMTraining
import Foundation

/// The settings on which a result of an experiment depends.
///
/// The results of an experiment are comparable only if each was measured with the current settings of its file.
struct ExperimentFingerprint: Codable, Equatable {
  struct Setting: Codable, Equatable {
    let name: String
    let value: String
  }

  /// The text and the settings of model and training, named as in `run.json`, followed by those of the run
  /// that it needs with a prefix, `autoencoder.` or `teacher.`.
  let training: [Setting]
  /// The settings of the evaluation.
  let evaluation: [Setting]

  /// - Parameters:
  ///   - record: the record of the run.
  ///   - data: the data set for training and evaluation.
  ///   - origin: the fingerprint of the run that trains its autoencoder or teacher.
  init(of record: RunRecord, in plan: ExperimentPlan, data: TokenDataSet, origin: ExperimentFingerprint?) throws {
    // Exclude paths, which change when a folder is moved, and the device.
    let inputs = (RunInputs.declarations.map(\.name) + ["autoencoder"]).map { "settings.\($0)" }
    let settings = RunDescription.settings(of: try JSONParser.parse(Array(try record.encoded()))).filter {
      $0.name.hasPrefix("model.") || $0.name.hasPrefix("settings.") && !inputs.contains($0.name)
    }
    let prefix = record.kind == .student ? "teacher." : "autoencoder."
    training =
      Self.text(of: plan.source, data) + settings.map { Setting(name: $0.name, value: $0.value) }
      + (origin?.training ?? []).map { Setting(name: prefix + $0.name, value: $0.value) }
    evaluation = [
      ("sequence_length", plan.sequenceTokens), ("num_sequences", plan.blocks), ("brier_samples", plan.samples),
    ].map {
      Setting(name: "evaluation.\($0)", value: "\($1)")
    }
  }

  private static func text(of source: ExperimentPlan.Source, _ data: TokenDataSet) -> [Setting] {
    switch source {
    case .stories(let bytes, let vocabulary):
      return [("stories.bytes", bytes), ("stories.vocab_size", vocabulary)].map { Setting(name: $0, value: "\($1)") }
    case .data:
      let splits = [data.train, data.validation].map { $0.reduce(0) { StableHash.combine($0, UInt64($1.checksum)) } }
      let checksum = String(StableHash.combine(splits[0], splits[1]), radix: 16)
      return [Setting(name: "data", value: "text with checksum \(checksum)")]
    }
  }

  /// The first training setting whose value differs from that in `earlier`; nil if all are equal.
  func change(since earlier: ExperimentFingerprint) -> (name: String, before: String, now: String)? {
    func values(_ settings: [Setting]) -> [String: String] {
      Dictionary(settings.map { ($0.name, $0.value) }) { first, _ in first }
    }
    let (old, new) = (values(earlier.training), values(training))
    let changed = (training + earlier.training).first { old[$0.name] != new[$0.name] }
    return changed.map { ($0.name, old[$0.name] ?? "not set", new[$0.name] ?? "not set") }
  }
}

/// The content of `result.json`.
struct MeasuredResult: Codable {
  let fingerprint: ExperimentFingerprint
  let result: ExperimentResult
}

import CALM
import Torch

/// The inputs of a run, and the device on which it computes.
public struct RunInputs: Hashable, Sendable, SettingsTable {
  /// Folders of prepared data with their weights.
  public var data: [Corpus] = []
  /// The folder of the model with whose weights the run starts; nil for new weights.
  public var initialModel: String?
  /// The name of a device, such as `cuda:1`.
  public var device = "cpu"
  /// Threads per operation; nil for one per core. Results are reproducible only with the same number.
  public var threads: Int?

  /// Creates inputs for new weights on the CPU.
  public init(data: [Corpus]) { self.data = data }

  /// Creates inputs without data.
  public init() {}

  /// The settings of the inputs.
  public static let groups: [SettingGroup<RunInputs>] = [
    SettingGroup(
      "Inputs and device",
      [
        Setting("data", \.data, .corpora, "Prepared data; several folders are sampled by their weights."),
        Setting("init_from", \.initialModel, .text("path"), "Start from the weights and sizes of this model."),
        Setting("device", \.device, .text("device"), "Device to compute on: cpu, cuda, cuda:N or mps."),
        Setting(
          "threads", \.threads, .integer(1...1024), "Threads to compute with.", default: "one for each core"
        ).changeable,
      ])
  ]
}

/// A folder of prepared data and its weight relative to the other folders.
public struct Corpus: Codable, Hashable, Sendable {
  /// The folder written by `calm data prepare`.
  public var path: String
  /// The weight, above 0; the weights need not sum to 1.
  public var weight: Double

  /// Creates a corpus.
  public init(path: String, weight: Double = 1) {
    (self.path, self.weight) = (path, weight)
  }

  /// Reads `folder` or `folder:weight`.
  ///
  /// - Throws: ``TrainingError/invalidWeight(_:)`` for a weight that is not above 0.
  public init(parsing text: String) throws {
    (path, weight) = (text, 1)
    guard let colon = text.lastIndex(of: ":"), let weight = Double(text[text.index(after: colon)...]) else { return }
    guard weight > 0, weight.isFinite else { throw TrainingError.invalidWeight(text) }
    (path, self.weight) = (String(text[..<colon]), weight)
  }

  /// The corpus in the format that `init(parsing:)` reads.
  var text: String {
    let hasWeight = weight != 1 || (try? Corpus(parsing: path)) != Corpus(path: path)
    return hasWeight ? "\(path):\(weight)" : path
  }
}

extension [Corpus]: SettingConvertible {
  /// Parses a list of folders with optional weights.
  public init?(settingValue value: SettingValue) {
    guard case .list(let texts) = value, let corpora = try? texts.map({ try Corpus(parsing: $0) }) else { return nil }
    self = corpora
  }

  /// The folders; nil if there are none.
  public var settingValue: SettingValue? { isEmpty ? nil : .list(map(\.text)) }
}

import CALM
import Torch

/// What a run reads, and where it computes.
public struct RunInputs: Hashable, Sendable, SettingsTable {
  /// Folders of prepared data with their weights.
  public var data: [Corpus] = []
  /// The folder of the model whose weights the run begins with; nil begins with fresh ones.
  public var initialModel: String?
  /// The name of a device, such as `cuda:1`.
  public var device = "cpu"
  /// Threads of an operation: the same seed gives the same numbers with the same count. Nil takes one for each core.
  public var threads: Int?

  /// Fresh weights on the CPU.
  public init(data: [Corpus]) { self.data = data }

  /// No data yet.
  public init() {}

  /// The settings of the inputs.
  public static let groups: [SettingGroup<RunInputs>] = [
    SettingGroup(
      "Inputs and device",
      [
        Setting("data", \.data, .corpora, "Prepared data; several folders are sampled by their weights."),
        Setting("init_from", \.initialModel, .text("path"), "Start from the weights and sizes of this model."),
        Setting("device", \.device, .text("device"), "Where to compute: cpu, cuda, cuda:N or mps."),
        Setting(
          "threads", \.threads, .integer(1...1024), "Threads to compute with.", default: "one for each core"
        ).changeable,
      ])
  ]
}

/// A folder of prepared data and its weight relative to the others'.
public struct Corpus: Codable, Hashable, Sendable {
  /// The folder that `calm data prepare` wrote.
  public var path: String
  /// Its weight, above 0; the weights need not sum to 1.
  public var weight: Double

  /// A folder with its weight.
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

  /// The text that `init(parsing:)` reads.
  var text: String {
    let hasWeight = weight != 1 || (try? Corpus(parsing: path)) != Corpus(path: path)
    return hasWeight ? "\(path):\(weight)" : path
  }
}

extension [Corpus]: SettingConvertible {
  /// A list of folders, each of which may have a weight.
  public init?(settingValue value: SettingValue) {
    guard case .list(let texts) = value, let corpora = try? texts.map({ try Corpus(parsing: $0) }) else { return nil }
    self = corpora
  }

  /// The folders; nil of none.
  public var settingValue: SettingValue? { isEmpty ? nil : .list(map(\.text)) }
}

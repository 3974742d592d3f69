import CALMSupport
import Foundation

/// A run at a glance: what it is, how far it is, its last figures.
public struct RunSummary: Encodable, Sendable {
  /// The run's folder.
  public let path: String
  /// `autoencoder`, `calm`, `transformer`, or what else `run.json` says that it trains.
  public let kind: String
  /// What became of it.
  public let state: RunState
  /// Steps taken; 0 before the first line of metrics.
  public let step: Int
  /// Steps of the whole run.
  public let totalSteps: Int?
  /// The last loss.
  public let loss: Double?
  /// The metrics of the last evaluation on held-out text; nil, null in JSON, for a NaN or infinite one.
  public let evaluation: [String: Double?]
  /// The step of that evaluation.
  public let evaluationStep: Int?
  /// The speed at the last line.
  public let tokensPerSecond: Double?
  /// When it last gave a sign of life.
  public let updated: Date
  /// The error that ended it.
  public let reason: String?

  /// Looks at the run in `url`, without changing anything.
  ///
  /// - Throws: ``TrainingError`` where there is none, or its settings cannot be read.
  public init(of url: URL) throws {
    let folder = try RunFolder(opening: url)
    let settings = try RunDescription(of: folder)
    let status = RunStatus(of: url)
    let tail = MetricsTail(of: folder.metricsURL)
    path = url.path
    kind = settings.kind
    totalSteps = status?.totalSteps ?? settings.steps
    step = max(tail.training?.step ?? 0, tail.evaluation?.step ?? 0)
    loss = tail.training?["loss"]
    tokensPerSecond = tail.training?["tokens_per_second"]
    evaluation = Dictionary((tail.evaluation?.values ?? []).map { ($0.key, $0.value) }) { $1 }
    evaluationStep = tail.evaluation?.step
    reason = status?.reason
    state = Self.state(of: folder, saying: status)
    let signs = [folder.recordURL, folder.metricsURL].compactMap { Self.modificationDate(of: $0) }
    updated = (signs + [status?.began, status?.ended].compactMap { $0 }).max() ?? .distantPast
  }

  /// The runs in and under a folder, the most recent last, and the folders whose `run.json` is not to be read.
  public static func all(under folder: URL, depth: Int = 3) -> (runs: [RunSummary], damaged: [any Error]) {
    var (runs, damaged): ([RunSummary], [any Error]) = ([], [])
    func look(into folder: URL, depth: Int) {
      if FileManager.default.fileExists(atPath: folder.appendingPathComponent("run.json").path) {
        do { runs.append(try RunSummary(of: folder)) } catch { damaged.append(error) }
        return
      }
      guard depth > 0 else { return }
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where !name.hasPrefix(".") {
        let inner = folder.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: inner.path, isDirectory: &isFolder), isFolder.boolValue {
          look(into: inner, depth: depth - 1)
        }
      }
    }
    look(into: folder, depth: depth)
    return (runs.sorted { ($0.updated, $0.path) < ($1.updated, $1.path) }, damaged)
  }

  private static func state(of folder: RunFolder, saying status: RunStatus?) -> RunState {
    if RunLock.isHeld(folder.url) { return .running }
    switch status?.state {
    case .running: return .crashed
    case let said?: return said
    case nil:
      // Nobody has trained it yet, or a version of the program that said nothing.
      return FileManager.default.fileExists(atPath: folder.modelURL.path) ? .finished : .stopped
    }
  }

  private static func modificationDate(of url: URL) -> Date? {
    (try? FileManager.default.attributesOfItem(atPath: url.path))?[.modificationDate] as? Date
  }
}

/// The last line of a step and the last line of an evaluation in `metrics.jsonl`.
struct MetricsTail {
  private(set) var training: MetricsLine?
  private(set) var evaluation: MetricsLine?

  /// Reads as little of the file's end as holds both.
  init(of url: URL) {
    guard let file = try? ReadableFile(path: url.path) else { return }
    var length = 1 << 16
    while training == nil || evaluation == nil {
      let start = max(0, file.size - length)
      (training, evaluation) = (nil, nil)
      guard let bytes = try? file.bytes(in: start..<file.size) else { return }
      for line in LinesFromTheEnd(Data(bytes)) where training == nil || evaluation == nil {
        guard let line = MetricsLine(line) else { continue }
        if line.isEvaluation { evaluation = evaluation ?? line } else { training = training ?? line }
      }
      if start == 0 { return }
      length *= 8
    }
  }
}

import CALMSupport
import Foundation

/// A summary of a run: its kind, state, progress and latest metrics.
public struct RunSummary: Encodable, Sendable {
  /// The run's folder.
  public let path: String
  /// The kind of model: `autoencoder`, `lm` or `transformer`.
  public let kind: String
  /// The state.
  public let state: RunState
  /// Steps taken; 0 before the first line of metrics.
  public let step: Int
  /// Steps of the whole run.
  public let totalSteps: Int?
  /// The latest training loss.
  public let loss: Double?
  /// The metrics of the latest evaluation on held-out text; nil (null in JSON) for a NaN or infinite value.
  public let evaluation: [String: Double?]
  /// The step of that evaluation.
  public let evaluationStep: Int?
  /// The speed in the latest line of metrics.
  public let tokensPerSecond: Double?
  /// When the run was last active.
  public let updated: Date
  /// The error with which it failed.
  public let reason: String?

  /// Reads the summary of the run in `url`. Changes nothing.
  ///
  /// - Throws: ``TrainingError`` if there is no run or its settings cannot be read.
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
    state = Self.state(of: folder, status)
    let changes = [folder.recordURL, folder.metricsURL].compactMap { Self.modificationDate(of: $0) }
    updated = (changes + [status?.began, status?.ended].compactMap { $0 }).max() ?? .distantPast
  }

  /// The runs in a folder and its subfolders, the most recently active last, and the errors of those that cannot be read.
  public static func all(under folder: URL, depth: Int = 3) -> (runs: [RunSummary], damaged: [any Error]) {
    var (runs, damaged): ([RunSummary], [any Error]) = ([], [])
    func search(_ folder: URL, depth: Int) {
      if FileManager.default.fileExists(atPath: folder.appendingPathComponent("run.json").path) {
        do { runs.append(try RunSummary(of: folder)) } catch { damaged.append(error) }
        return
      }
      guard depth > 0 else { return }
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where !name.hasPrefix(".") {
        let inner = folder.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: inner.path, isDirectory: &isFolder), isFolder.boolValue {
          search(inner, depth: depth - 1)
        }
      }
    }
    search(folder, depth: depth)
    return (runs.sorted { ($0.updated, $0.path) < ($1.updated, $1.path) }, damaged)
  }

  private static func state(of folder: RunFolder, _ status: RunStatus?) -> RunState {
    if RunLock.isHeld(folder.url) { return .running }
    // A run without a status has not been trained yet.
    let recorded = status?.state ?? .stopped
    return recorded == .running ? .crashed : recorded
  }

  private static func modificationDate(of url: URL) -> Date? {
    (try? FileManager.default.attributesOfItem(atPath: url.path))?[.modificationDate] as? Date
  }
}

/// The latest metrics of a training step and of an evaluation in `metrics.jsonl`.
struct MetricsTail {
  private(set) var training: MetricsLine?
  private(set) var evaluation: MetricsLine?

  /// Reads only as much of the end of the file as is needed to find both.
  init(of url: URL) {
    guard let file = try? ReadableFile(path: url.path) else { return }
    var length = 1 << 16
    while training == nil || evaluation == nil {
      let start = max(0, file.size - length)
      (training, evaluation) = (nil, nil)
      guard let bytes = try? file.bytes(in: start..<file.size) else { return }
      for line in LinesFromTheEnd(Data(bytes)) where training == nil || evaluation == nil {
        guard let line = MetricsLine(line) else { continue }
        switch line.kind {
        case .train: training = training ?? line
        case .evaluation: evaluation = evaluation ?? line
        }
      }
      if start == 0 { return }
      length *= 8
    }
  }
}

import Files
import Foundation

/// A training run on disk: `run.json`, `metrics.jsonl`, `checkpoints/step-000123/`, `latest`, and at the end `model/`.
///
/// A checkpoint is complete or absent: it is written under a temporary name, flushed and renamed, and `latest` names it
/// only then. A checkpoint is itself a model folder, with the optimizer's state beside the weights.
public struct RunFolder {
  /// The folder.
  public let url: URL

  /// Makes the folder of a new run.
  ///
  /// - Throws: ``TrainingError/runExists(_:)`` where a run lies there already.
  public init(creating url: URL) throws {
    self.url = url
    if FileManager.default.fileExists(atPath: recordURL.path) { throw TrainingError.runExists(url.path) }
    try makeFolder(checkpoints)
  }

  /// A folder that another process of the training makes or opens.
  public init(at url: URL) {
    self.url = url
  }

  /// Opens the folder of a run.
  ///
  /// - Throws: ``TrainingError/noRun(_:)`` where there is none.
  public init(opening url: URL) throws {
    self.url = url
    guard FileManager.default.fileExists(atPath: recordURL.path) else { throw TrainingError.noRun(url.path) }
    try removeLeftovers()
  }

  /// Where every setting stands.
  public var recordURL: URL { url.appendingPathComponent("run.json") }
  /// One JSON object a line.
  public var metricsURL: URL { url.appendingPathComponent("metrics.jsonl") }
  /// The batches that were left out, one JSON object a line.
  public var skipsURL: URL { url.appendingPathComponent("skipped.jsonl") }
  /// The trained model, at the end of the run.
  public var modelURL: URL { url.appendingPathComponent("model") }
  private var checkpoints: URL { url.appendingPathComponent("checkpoints") }
  private var latestURL: URL { url.appendingPathComponent("latest") }
  /// A link to the checkpoint that did best on held-out text, where the run looks for it.
  public var bestURL: URL { url.appendingPathComponent("best") }

  /// The newest checkpoint.
  ///
  /// - Throws: ``TrainingError/noCheckpoint(_:)`` where none was written yet.
  public func latestCheckpoint() throws -> URL {
    guard let text = try? String(contentsOf: latestURL, encoding: .utf8) else {
      throw TrainingError.noCheckpoint(url.path)
    }
    let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
    let folder = checkpoints.appendingPathComponent(name)
    guard !name.isEmpty, !name.contains("/"), FileManager.default.fileExists(atPath: folder.path) else {
      throw TrainingError.checkpointMissing(latestURL.path, name)
    }
    return folder
  }

  /// Whether a checkpoint was written.
  public var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: latestURL.path) }

  /// Forgets that the run has begun, so that it can be begun again.
  public func forgetRecord() throws {
    if FileManager.default.fileExists(atPath: recordURL.path) { try FileManager.default.removeItem(at: recordURL) }
  }

  /// Writes a checkpoint and makes it the latest; then removes all but the last `kept` and the best.
  ///
  /// Checkpoints of later steps go too: the run was taken up at one before them, and comes by there again.
  ///
  /// - Parameters:
  ///   - isBest: whether ``bestURL`` is to lead to it.
  ///   - write: fills the folder that it is given.
  public func addCheckpoint(step: Int, kept: Int, isBest: Bool = false, write: (URL) throws -> Void) throws {
    let name = Self.name(ofStep: step)
    try install(checkpoints.appendingPathComponent(name), write: write)
    try AtomicFile.write(Data((name + "\n").utf8), to: latestURL.path)
    if isBest { try linkBest(to: name) }
    let best = (try? FileManager.default.destinationOfSymbolicLink(atPath: bestURL.path)).map {
      ($0 as NSString).lastPathComponent
    }
    let steps = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
      .compactMap { name in Self.step(ofName: name).map { (step: $0, name: name) } }.sorted { $0.step < $1.step }
    let latest = Set(steps.filter { $0.step <= step }.suffix(max(1, kept)).map { $0.name })
    for (_, old) in steps where !latest.contains(old) && old != best {
      try? FileManager.default.removeItem(at: checkpoints.appendingPathComponent(old))
    }
  }

  /// The checkpoint that a path means, and the run it belongs to: a run's folder stands for its latest checkpoint, a
  /// folder inside its `checkpoints`, or its link `best`, for itself.
  public static func locate(_ url: URL) throws -> (run: RunFolder, checkpoint: URL) {
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("run.json").path) {
      let run = try RunFolder(opening: url)
      return (run, try run.latestCheckpoint())
    }
    let checkpoint = url.resolvingSymlinksInPath()
    let parent = checkpoint.deletingLastPathComponent()
    guard parent.lastPathComponent == "checkpoints", step(ofName: checkpoint.lastPathComponent) != nil else {
      throw TrainingError.noRun(url.path)
    }
    return (try RunFolder(opening: parent.deletingLastPathComponent()), checkpoint)
  }

  private func linkBest(to name: String) throws {
    let temporary = url.appendingPathComponent(".best\(Self.temporarySuffix)")
    try? FileManager.default.removeItem(at: temporary)
    guard symlink("checkpoints/\(name)", temporary.path) == 0, rename(temporary.path, bestURL.path) == 0 else {
      throw FileError("link to the best checkpoint from", bestURL.path)
    }
    try AtomicFile.synchronizeFolder(url.path)
  }

  /// Writes the trained model's folder.
  public func writeModel(_ write: (URL) throws -> Void) throws {
    try install(modelURL, write: write)
  }

  private static func name(ofStep step: Int) -> String { String(format: "step-%06d", step) }

  private static func step(ofName name: String) -> Int? {
    name.hasPrefix("step-") ? Int(name.dropFirst("step-".count)) : nil
  }

  /// Fills a folder under a temporary name and puts it in place of one that may be there.
  private func install(_ target: URL, write: (URL) throws -> Void) throws {
    let parent = target.deletingLastPathComponent()
    let temporary = parent.appendingPathComponent(".\(target.lastPathComponent)\(Self.temporarySuffix)")
    try? FileManager.default.removeItem(at: temporary)
    do {
      try makeFolder(temporary)
      try write(temporary)
      try AtomicFile.synchronizeFolder(temporary.path)
      try? FileManager.default.removeItem(at: target)
      guard rename(temporary.path, target.path) == 0 else {
        throw FileError("rename a temporary folder to", target.path)
      }
      try AtomicFile.synchronizeFolder(parent.path)
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw error
    }
  }

  private static let temporarySuffix = ".partial"

  /// Removes what a run that was killed while writing has left.
  private func removeLeftovers() throws {
    for folder in [url, checkpoints] {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      where name.hasPrefix(".") && name.hasSuffix(Self.temporarySuffix) {
        try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
      }
    }
  }

  private func makeFolder(_ folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw TrainingError.cannotWrite(folder.path, (error as NSError).localizedFailureReason ?? "\(error)")
    }
  }
}

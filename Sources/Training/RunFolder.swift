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
  /// The trained model, at the end of the run.
  public var modelURL: URL { url.appendingPathComponent("model") }
  private var checkpoints: URL { url.appendingPathComponent("checkpoints") }
  private var latestURL: URL { url.appendingPathComponent("latest") }

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

  /// Writes a checkpoint and makes it the latest; then removes all but the last `kept`.
  ///
  /// - Parameter write: fills the folder that it is given.
  public func addCheckpoint(step: Int, kept: Int, write: (URL) throws -> Void) throws {
    let name = Self.name(ofStep: step)
    try install(checkpoints.appendingPathComponent(name), write: write)
    try AtomicFile.write(Data((name + "\n").utf8), to: latestURL.path)
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
    for old in names.filter({ $0.hasPrefix("step-") }).sorted().dropLast(max(1, kept)) where old != name {
      try? FileManager.default.removeItem(at: checkpoints.appendingPathComponent(old))
    }
  }

  /// Writes the trained model's folder.
  public func writeModel(_ write: (URL) throws -> Void) throws {
    try install(modelURL, write: write)
  }

  private static func name(ofStep step: Int) -> String { String(format: "step-%06d", step) }

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

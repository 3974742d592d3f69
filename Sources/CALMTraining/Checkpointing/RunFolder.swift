import CALMSupport
import Foundation

/// A training run on disk: `run.json`, `metrics.jsonl`, `checkpoints/step-000123/`, `latest`, and at the end `model/`.
///
/// A checkpoint is complete or absent: it is written under a temporary name, flushed, renamed, and only then named in
/// `latest`. Before it is removed, it is renamed again. A checkpoint is a model folder that also contains the optimizer
/// state.
public struct RunFolder {
  /// The folder.
  public let url: URL

  /// Creates the folder of a new run.
  ///
  /// - Throws: ``TrainingError/runExists(_:)`` if the folder contains a run.
  public init(creating url: URL) throws {
    self.url = url
    if FileManager.default.fileExists(atPath: recordURL.path) { throw TrainingError.runExists(url.path) }
    try makeFolder(checkpoints)
  }

  /// Refers to a folder that another process of the group creates or opens.
  public init(at url: URL) {
    self.url = url
  }

  /// Opens the folder of a run.
  ///
  /// - Throws: ``TrainingError/noRun(_:)`` if there is none.
  public init(opening url: URL) throws {
    self.url = url
    guard FileManager.default.fileExists(atPath: recordURL.path) else { throw TrainingError.noRun(url.path) }
  }

  /// Locks the run for training, then cleans up after a killed process: restores a checkpoint or model whose replacement
  /// it did not finish, and removes its temporary files.
  ///
  /// - Throws: ``TrainingError/runTaken(_:)`` if another process trains the run.
  public func lock() throws -> RunLock {
    let lock = try RunLock(url)
    removeLeftovers()
    return lock
  }

  /// All settings of the run.
  public var recordURL: URL { url.appendingPathComponent("run.json") }
  /// The metrics, one JSON object per line.
  public var metricsURL: URL { url.appendingPathComponent("metrics.jsonl") }
  /// The skipped batches, one JSON object per line.
  public var skipsURL: URL { url.appendingPathComponent("skipped.jsonl") }
  /// The trained model, written at the end of the run.
  public var modelURL: URL { url.appendingPathComponent("model") }
  private var checkpoints: URL { url.appendingPathComponent("checkpoints") }
  private var latestURL: URL { url.appendingPathComponent("latest") }
  /// A link to the checkpoint with the best evaluation, if the settings name a metric for it.
  public var bestURL: URL { url.appendingPathComponent("best") }

  /// The newest checkpoint.
  ///
  /// - Throws: ``TrainingError/noCheckpoint(_:)`` if there is none yet.
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

  /// The checkpoint to resume from, and the changes to the other checkpoints that follow.
  struct Resumption {
    /// Nil if there is no checkpoint yet.
    var checkpoint: URL?
    /// The errors of newer checkpoints that are damaged.
    var damage: [TrainingError] = []
    /// The step of `checkpoint`.
    fileprivate var step: Int?
    fileprivate var damagedSteps: [Int] = []
    /// Whether `latest` may name a different checkpoint.
    fileprivate var changesLatest = false
  }

  /// Finds an undamaged checkpoint to resume from: `named`, or else the one that `latest` names, or the newest one before
  /// it. Changes nothing on disk; ``resume(from:)`` does.
  ///
  /// - Throws: ``TrainingError``: the absence or damage of `named`, or the first damage found if all checkpoints are damaged.
  func soundCheckpoint(_ named: URL?) throws -> Resumption {
    if let named {
      guard FileManager.default.fileExists(atPath: named.path) else {
        throw TrainingError.noSuchCheckpoint(named.path, kept: try checkpointSteps().map(Self.name(ofStep:)))
      }
      try CheckpointManifest.check(named)
      let name = named.resolvingSymlinksInPath().lastPathComponent
      return Resumption(checkpoint: named, step: Self.step(ofName: name), changesLatest: true)
    }
    var found = Resumption()
    let steps = try checkpointSteps()
    var latest = Int.max
    do {
      latest = Self.step(ofName: try latestCheckpoint().lastPathComponent) ?? .max
    } catch TrainingError.noCheckpoint {
      // The process was killed before it completed the first checkpoint or named it.
      if steps.isEmpty { return found }
    } catch let error as TrainingError where !steps.isEmpty {
      found.damage.append(error)
    }
    // Later checkpoints come last: the process was killed before `latest` named them.
    let candidates = steps.filter { $0 <= latest }.reversed() + steps.filter { $0 > latest }
    for step in candidates {
      let folder = checkpoints.appendingPathComponent(Self.name(ofStep: step))
      do {
        try CheckpointManifest.check(folder)
      } catch let error as TrainingError {
        found.damage.append(error)
        found.damagedSteps.append(step)
        continue
      }
      (found.checkpoint, found.step, found.changesLatest) = (folder, step, !found.damage.isEmpty)
      return found
    }
    throw found.damage.first ?? TrainingError.noCheckpoint(url.path)
  }

  /// Names the checkpoint that ``soundCheckpoint(_:)`` found in `latest`, so that a run that ends before its next
  /// checkpoint resumes from it again. Renames damaged and later checkpoints.
  func resume(from resumption: Resumption) throws {
    guard let step = resumption.step else { return }
    if resumption.changesLatest { try makeLatest(step) }
    for name in resumption.damagedSteps.map(Self.name(ofStep:)) {
      let other = checkpoints.appendingPathComponent("damaged-" + name)
      try? FileManager.default.removeItem(at: other)
      rename(checkpoints.appendingPathComponent(name).path, other.path)
    }
    try abandonCheckpoints(after: step)
  }

  /// Renames the checkpoints after `step`. A run that resumes at `step` removes their lines of metrics, so nothing may
  /// resume from them. They stay until the next checkpoint is written. The best checkpoint keeps its name.
  private func abandonCheckpoints(after step: Int) throws {
    for later in try checkpointSteps() where later > step && Self.name(ofStep: later) != bestName {
      let folder = checkpoints.appendingPathComponent(Self.name(ofStep: later))
      let other = checkpoints.appendingPathComponent(Self.abandoned + Self.name(ofStep: later))
      try? AtomicFolder.remove(at: other.path)
      rename(folder.path, other.path)
    }
  }

  private static let abandoned = "abandoned-"

  /// The name of the checkpoint to which ``bestURL`` links.
  private var bestName: String? {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: bestURL.path)).map {
      ($0 as NSString).lastPathComponent
    }
  }

  private func makeLatest(_ step: Int) throws {
    try AtomicFile.write(Data((Self.name(ofStep: step) + "\n").utf8), to: latestURL.path)
  }

  /// The steps of all checkpoints, in ascending order.
  private func checkpointSteps() throws -> [Int] {
    try FileManager.default.contentsOfDirectory(atPath: checkpoints.path).compactMap(Self.step(ofName:)).sorted()
  }

  /// Writes a checkpoint and makes it the latest. Then removes all but the last `count` and the best one.
  ///
  /// Checkpoints of later steps are removed too: the run was resumed before them and will reach those steps again.
  ///
  /// - Parameters:
  ///   - count: the number of checkpoints to keep.
  ///   - isBest: whether to link ``bestURL`` to the checkpoint.
  ///   - write: writes the checkpoint's files into a folder.
  public func addCheckpoint(
    step: Int, keeping count: Int, isBest: Bool = false, write: (URL) throws -> Void
  ) throws {
    let name = Self.name(ofStep: step)
    try install(checkpoints.appendingPathComponent(name)) { folder in
      try write(folder)
      try CheckpointManifest.write(to: folder)
    }
    try makeLatest(step)
    if isBest { try linkBest(to: name) }
    let steps = try checkpointSteps()
    let latest = steps.filter { $0 <= step }.suffix(max(1, count))
    let best = bestName
    let old = steps.filter { !latest.contains($0) }.map(Self.name(ofStep:)).filter { $0 != best }
    let names = try FileManager.default.contentsOfDirectory(atPath: checkpoints.path)
    for name in old + names.filter({ $0.hasPrefix(Self.abandoned) }) {
      try? AtomicFolder.remove(at: checkpoints.appendingPathComponent(name).path)
    }
  }

  /// Finds the run at `url`: the folder of a run, or one of its checkpoints, or its link `best`.
  ///
  /// - Returns: the run, and the checkpoint if `url` names one.
  /// - Throws: ``TrainingError/noRun(_:)`` for any other path.
  public static func locate(_ url: URL) throws -> (run: RunFolder, checkpoint: URL?) {
    if FileManager.default.fileExists(atPath: url.appendingPathComponent("run.json").path) {
      return (try RunFolder(opening: url), nil)
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

  /// Writes the folder of the trained model.
  ///
  /// - Parameter write: writes the model's files into a folder.
  public func writeModel(_ write: (URL) throws -> Void) throws {
    try install(modelURL, write: write)
  }

  private static func name(ofStep step: Int) -> String { String(format: "step-%06d", step) }

  private static func step(ofName name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst("step-".count)), Self.name(ofStep: step) == name else {
      return nil
    }
    return step
  }

  /// Writes a folder under a temporary name, then moves it to `target`, replacing a folder that exists there.
  private func install(_ target: URL, write: (URL) throws -> Void) throws {
    let folder = try AtomicFolder(at: target.path, replacing: FileManager.default.fileExists(atPath: target.path))
    try write(URL(fileURLWithPath: folder.temporaryPath))
    try folder.commit()
  }

  /// Part of the temporary names that ``AtomicFile`` and ``AtomicFolder`` use, all of which begin with a dot.
  private static let temporarySuffix = ".partial"

  private func removeLeftovers() {
    for folder in [url, checkpoints] {
      AtomicFolder.recoverAll(in: folder.path)
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
      where name.hasPrefix(".") && name.contains(Self.temporarySuffix) {
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

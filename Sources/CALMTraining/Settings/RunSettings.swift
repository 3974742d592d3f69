import CALM
import CALMCorpus
import Foundation
import Torch

/// All settings of a run that trains one kind of model: what `calm train`, settings files, `run.json` and experiment
/// files describe.
public protocol RunSettings: SettingsTable {
  /// The configuration of the model.
  associatedtype Model: ModelConfiguration

  /// The kind of model.
  static var kind: ModelKind { get }
  /// The metrics of its evaluations that can choose the best checkpoint, the default one first.
  static var metrics: [String] { get }
  /// Whether evaluations score the prediction of tokens.
  static var scoresPredictions: Bool { get }

  /// Data, initial weights, device.
  var inputs: RunInputs { get set }
  /// Length, batches, rates, intervals.
  var training: TrainingSettings { get set }
  /// The model.
  var model: Model { get set }
  /// Steps at the beginning that train on the auxiliary token loss alone.
  var auxiliaryWarmupSteps: Int { get }

  /// The settings to which given ones are applied: the defaults, with the sizes of the models that are named.
  ///
  /// - Throws: an error of reading a model.
  static func base(for given: GivenSettings) throws -> Self
  /// Sets the sizes that follow from others, where they were not given.
  ///
  /// - Parameter base: the settings before given ones were applied.
  mutating func deriveSizes(from base: Self, _ given: GivenSettings)
  /// What is wrong with the model's settings together.
  func modelFaults(_ given: GivenSettings) -> [String]
  /// Takes over vocabulary and special tokens of the data that a new model is trained on.
  mutating func adopt(_ data: TrainingData)

  /// A task with the model that a run begins with.
  ///
  /// - Parameter initial: the folder of ``RunInputs/initialModel``.
  func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask
  /// A task with the model of a checkpoint.
  func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask
}

/// What a task needs besides its settings.
public struct TaskParts {
  /// The data, whose tokenizer is stored with the model.
  public let data: TrainingData
  /// Held-out text; nil evaluates nothing.
  public let validation: PackedSequences?
  /// Where to compute.
  public let device: Device
  /// For fresh weights.
  public let generator: Generator
}

extension RunSettings {
  /// Whether predictions are scored: of language models.
  public static var scoresPredictions: Bool { true }
  /// None.
  public var auxiliaryWarmupSteps: Int { 0 }

  /// Settings with everything that was given, the rest derived or by default, and what is wrong with them: the faults of
  /// `given`, then others.
  ///
  /// - Parameter base: the settings to which given ones are applied; see ``base(for:)``.
  public static func resolve(_ given: GivenSettings, over base: Self) -> (settings: Self, faults: [String]) {
    var settings = base
    let hasModel = given.has("init_from")
    settings.apply(given) { !(hasModel && $0.isModelSize) }
    if !hasModel { settings.deriveSizes(from: base, given) }
    settings.training.derive(given, chunkSize: settings.model.chunkSize)
    let faults =
      given.faults + (hasModel ? base.sizeFaults(given) : []) + settings.modelFaults(given)
      + settings.faultsWithoutEffect(given)
      + settings.training.faults(
        given, chunkSize: settings.model.chunkSize, auxiliaryWarmupSteps: settings.auxiliaryWarmupSteps)
    return (settings, faults)
  }

  /// A fault for each given size that is not that of the model to begin with, whose settings these are.
  private func sizeFaults(_ given: GivenSettings) -> [String] {
    let model = given.title(of: "init_from")
    return Self.declarations.filter(\.isModelSize).compactMap { declaration in
      let name = declaration.name
      guard let value = given[name] else { return nil }
      // A size that is absent here, such as a preset, belongs to new models alone.
      guard let own = self[name] else { return "\(given.title(of: name)) cannot be combined with \(model)" }
      if own == value { return nil }
      if declaration.type.isFlag {
        return "\(given.phrase(name, value)) contradicts the model of \(model); leave it out"
      }
      return "\(given.title(of: name)) is \(own) in the model of \(model), not \(value); leave it out"
    }
  }
}

import CALM
import CALMCorpus
import Foundation
import Torch

/// All settings of a run that trains one kind of model. `calm train`, settings files, `run.json` and experiment files
/// share them.
public protocol RunSettings: SettingsTable {
  /// The configuration of the model.
  associatedtype Model: ModelConfiguration

  /// The kind of model.
  static var kind: ModelKind { get }
  /// The metrics of the run's evaluations by which the best checkpoint can be chosen, the default first.
  static var metrics: [String] { get }
  /// Whether evaluations score the prediction of tokens.
  static var scoresPredictions: Bool { get }

  /// The data, initial weights and device.
  var inputs: RunInputs { get set }
  /// The settings of the training loop.
  var training: TrainingSettings { get set }
  /// The model.
  var model: Model { get set }
  /// The number of steps at the start that train on the auxiliary token loss alone.
  var auxiliaryWarmupSteps: Int { get }

  /// The settings to which the given ones are applied: the defaults with the sizes of the models that `given` names.
  ///
  /// - Throws: an error of reading a model.
  static func base(for given: GivenSettings) throws -> Self
  /// Derives the sizes that depend on others and were not given.
  ///
  /// - Parameter base: the settings before the given ones were applied.
  mutating func deriveSizes(from base: Self, _ given: GivenSettings)
  /// The errors in combinations of the model's settings.
  func modelFaults(_ given: GivenSettings) -> [String]
  /// Adopts the vocabulary size and special tokens of the data, for a new model.
  mutating func adopt(_ data: TrainingData)

  /// A task with the model with which a run starts.
  ///
  /// - Parameter initial: the folder of ``RunInputs/initialModel``.
  func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask
  /// A task with the model of a checkpoint.
  func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask
}

/// The arguments of a task besides its settings.
public struct TaskParts {
  /// The data, whose tokenizer is stored with the model.
  public let data: TrainingData
  /// Held-out text; nil for no evaluation.
  public let validation: PackedSequences?
  /// The device to compute on.
  public let device: Device
  /// The generator for new weights.
  public let generator: Generator
}

extension RunSettings {
  /// True: most models predict tokens.
  public static var scoresPredictions: Bool { true }
  /// None.
  public var auxiliaryWarmupSteps: Int { 0 }

  /// Applies the given settings to `base` and derives the others. The errors are those of `given`, followed by those of
  /// the result.
  ///
  /// - Parameter base: the settings to which the given ones are applied; see ``base(for:)``.
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

  /// An error for each given size that differs from that of the initial model, whose settings these are.
  private func sizeFaults(_ given: GivenSettings) -> [String] {
    let model = given.title(of: "init_from")
    return Self.declarations.filter(\.isModelSize).compactMap { declaration in
      let name = declaration.name
      guard let value = given[name] else { return nil }
      // A setting that is absent here, such as a preset, applies only to new models.
      guard let own = self[name] else { return "\(given.title(of: name)) cannot be combined with \(model)" }
      if own == value { return nil }
      if declaration.type.isFlag {
        return "\(given.phrase(name, value)) contradicts the model of \(model); leave it out"
      }
      return "\(given.title(of: name)) is \(own) in the model of \(model), not \(value); leave it out"
    }
  }
}

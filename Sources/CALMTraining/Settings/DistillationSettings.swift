import CALM
import Foundation

/// The settings of a run that distills a language model into one that samples in one step.
public struct DistillationSettings: RunSettings {
  /// A student.
  public static let kind = ModelKind.student
  /// Scores of the prediction.
  public static let metrics = ["brier_lm", "energy_score"]

  /// Data, the teacher as the initial model, device.
  public var inputs: RunInputs
  /// Length, batches, rates, intervals.
  public var training: TrainingSettings
  /// The student.
  public var model: LanguageModelConfiguration
  /// Paths of the teacher per position in each step.
  public var paths: Int
  /// Steps of the teacher's solver; nil takes its own number.
  public var teacherSteps: Int?

  /// The defaults.
  public init() {
    inputs = RunInputs()
    model = LanguageModelConfiguration(vocabularySize: 1, head: .posterior)
    training = TrainingSettings(
      steps: 1000, batchSize: 8, schedule: LearningRateSchedule(peak: 1e-3, shape: .stableDecay),
      bestMetric: Self.metrics[0])
    (paths, teacherSteps) = (2, nil)
    model.isOneStep = true
  }

  /// Everything that can be set.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Distillation",
        [
          Setting("paths", \.paths, .integer(1...1024), "Paths of the teacher per position in each step."),
          Setting(
            "teacher_steps", \.teacherSteps, .integer(1...1024), "Steps of a posterior head's solver on these paths.",
            default: "those of the teacher"),
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: false).map { $0.at(\.training) }

  /// The defaults with the sizes of the teacher.
  public static func base(for given: GivenSettings) throws -> Self {
    var base = Self()
    if let path: String = given.value(of: "init_from") {
      base.model = try ModelFolder(URL(fileURLWithPath: path)).languageModelConfiguration()
      base.model.auxiliaryLossWeight = 0
    }
    return base
  }

  /// Nothing follows from other sizes.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {}

  /// A teacher that cannot be distilled.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    guard given.has("init_from") else { return [] }
    if model.isOneStep { return ["the model of \(given.title(of: "init_from")) samples in one step already"] }
    guard model.head == .posterior || model.head == .flow else {
      return [
        "the model of \(given.title(of: "init_from")) has the head '\(model.head.rawValue)'; "
          + "distillation takes posterior and flow"
      ]
    }
    return []
  }

  /// Nothing: the student has the vocabulary of its teacher.
  public mutating func adopt(_ data: TrainingData) {}

  /// The student, which begins as a copy of its teacher.
  public func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask {
    guard let initial else { throw TrainingError.noTeacher }
    var configuration = model
    configuration.isOneStep = true
    let student = try initial.loadLanguageModel(configuration, autoencoder: nil, generator: parts.generator)
    return try task(student, parts)
  }

  /// The student of a checkpoint.
  public func storedTask(in checkpoint: ModelFolder, _ parts: TaskParts) throws -> any TrainingTask {
    try task(try checkpoint.loadLanguageModel(device: parts.device), parts)
  }

  private func task(_ student: ContinuousLanguageModel, _ parts: TaskParts) throws -> any TrainingTask {
    let folder = try ModelFolder(URL(fileURLWithPath: inputs.initialModel ?? ""))
    var configuration = try folder.languageModelConfiguration()
    configuration.auxiliaryLossWeight = 0
    if let teacherSteps { configuration.solverSteps = teacherSteps }
    let teacher = try folder.loadLanguageModel(configuration, autoencoder: nil, generator: parts.generator)
    return DistillationTask(
      student, from: teacher, paths: paths, validation: parts.validation, tokenizer: parts.data.tokenizerFile)
  }
}

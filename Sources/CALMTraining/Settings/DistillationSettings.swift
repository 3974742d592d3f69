import CALM
import Foundation

/// The settings of a run that distills a language model into one that samples in one step.
public struct DistillationSettings: RunSettings {
  /// A distilled language model.
  public static let kind = ModelKind.student
  /// Metrics of prediction.
  public static let metrics = ["brier_lm", "energy_score"]

  /// The data, the teacher as the initial model, and the device.
  public var inputs: RunInputs
  /// The settings of the training loop.
  public var training: TrainingSettings
  /// The configuration of the student.
  public var model: LanguageModelConfiguration
  /// Paths of the teacher per position in each step.
  public var paths: Int
  /// Steps of the teacher's solver; nil for the number in its configuration.
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

  /// The defaults for a teacher.
  ///
  /// - Parameter teacher: the folder of a model with a posterior, tokens or flow head.
  /// - Throws: ``ModelError``.
  public init(teacher: URL) throws {
    self.init()
    inputs.initialModel = teacher.path
    adopt(try ModelFolder(teacher).languageModelConfiguration())
  }

  /// Adopts the configuration of a teacher. The student has no auxiliary loss. That of a tokens head trains one linear
  /// layer, which bears a higher learning rate.
  public mutating func adopt(_ teacher: LanguageModelConfiguration) {
    model = teacher
    model.auxiliaryLossWeight = 0
    if teacher.head == .tokens { training.schedule.peak = 4e-3 }
  }

  /// All settings, by group.
  public static let groups: [SettingGroup<Self>] =
    RunInputs.groups.map { $0.at(\.inputs) }
    + [
      SettingGroup(
        "Distillation",
        [
          Setting("paths", \.paths, .integer(1...1024), "Paths of the teacher per position in each step."),
          Setting(
            "teacher_steps", \.teacherSteps, .integer(1...1024),
            "Solver steps on these paths, for a posterior head.", default: "the teacher's number"),
          Setting(
            "shortlist", \.model.shortlistSize, .integer(1...65_536),
            "Tokens among which the student of a tokens head chooses each token after the first."),
        ])
    ] + TrainingSettings.groups(metrics: metrics, hasTransformer: false).map { $0.at(\.training) }

  /// The defaults with the sizes of the teacher.
  public static func base(for given: GivenSettings) throws -> Self {
    guard let path: String = given.value(of: "init_from") else { return Self() }
    return try Self(teacher: URL(fileURLWithPath: path))
  }

  /// Does nothing: no size depends on another setting.
  public mutating func deriveSizes(from base: Self, _ given: GivenSettings) {}

  /// A teacher that cannot be distilled.
  public func modelFaults(_ given: GivenSettings) -> [String] {
    guard given.has("init_from") else { return [] }
    return Self.fault(of: model).map { ["the model of \(given.title(of: "init_from")) \($0)"] } ?? []
  }

  /// Why a model cannot be distilled, as a predicate; nil if it can.
  public static func fault(of teacher: LanguageModelConfiguration) -> String? {
    if teacher.isOneStep { return "already samples in one step" }
    if teacher.head == .tokens && teacher.chunkSize == 1 {
      return "has chunks of one token, so it already samples in one step"
    }
    if teacher.head.isDistillable { return nil }
    return "has the head '\(teacher.head.rawValue)'; only posterior, tokens and flow heads can be distilled"
  }

  /// Does nothing: the student has the vocabulary of its teacher.
  public mutating func adopt(_ data: TrainingData) {}

  /// The student with which distillation starts.
  public func newTask(from initial: ModelFolder?, _ parts: TaskParts) throws -> any TrainingTask {
    guard let initial else { throw TrainingError.noTeacher }
    var configuration = model
    configuration.isOneStep = true
    return try task(try initial.loadStudent(configuration, generator: parts.generator), parts)
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

import CALMTraining

/// A stage of a demo, in order. The energy head needs an autoencoder; the posterior head is distilled into one step.
public enum DemoStage: String, CaseIterable, Codable, Sendable {
  case text, tokenizer, data, autoencoder
  case languageModel = "language model"
  case distillation, evaluation, samples
}

/// A progress report of a demo.
public enum DemoEvent: Sendable {
  /// A stage began.
  case began(DemoStage)
  /// A part of a stage is done, in units of that stage; the total is nil if unknown.
  case progress(DemoStage, completed: Int, total: Int?)
  /// The training run of a stage reported progress. It takes `total` steps; nil while their number is being chosen.
  case training(DemoStage, TrainingEvent, total: Int?)
  /// The number of steps was chosen, or corrected, so that the demo ends in time.
  case planned(DemoStage, steps: Int, secondsPerStep: Double)
  /// A stage ended. Its results are in ``Demo/results``.
  case finished(DemoStage, seconds: Double)
}

/// How a demo ended.
public enum DemoEnd: Equatable, Sendable {
  /// All stages were completed.
  case finished
  /// It was stopped before training began; nothing is kept.
  case stoppedBeforeTraining
  /// It was stopped after training began; its folder is kept.
  case stopped
  /// It was stopped while a model of this kind trained. The run is in this folder and can be resumed.
  case stoppedInTraining(ModelKind, run: String, step: Int)
}

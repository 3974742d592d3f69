import Torch

extension TrainingSettings {
  /// The settings of the training loop.
  ///
  /// - Parameters:
  ///   - metrics: the metrics of the evaluations.
  ///   - hasTransformer: whether the model has layers to recompute.
  static func groups(metrics: [String], hasTransformer: Bool) -> [SettingGroup<TrainingSettings>] {
    let checkpointing = Setting<TrainingSettings>(
      "gradient_checkpointing", \.gradientCheckpointing, .flag,
      "Recompute the Transformer's layers in the backward pass, to save memory.")
    return [
      SettingGroup(
        "Length and batches",
        [
          Setting("steps", \.steps, .count, "Optimizer steps.").changeable,
          Setting(
            "max_tokens", \.maximumTokens, .count,
            "Tokens to train on; the run and its schedule end with the step that reaches them."
          ).changeable,
          Setting(
            "max_time", \.maximumSeconds, .duration,
            "Stop after this time, such as 90s, 30m or 8h; resuming restarts the clock. The schedule ignores it."
          ).changeable,
          Setting("batch_size", \.batchSize, .count, "Sequences per step."),
          Setting(
            "gradient_accumulation", \.gradientAccumulation, .count,
            "Compute the sequences of a step in this many parts, to save memory."),
        ] + (hasTransformer ? [checkpointing] : []) + [
          Setting(
            "sequence_length", \.sequenceLength, .count, "Tokens per sequence, a multiple of the chunk size.",
            default: "256, rounded down to whole chunks"),
          Setting("seed", \.seed, .countOrZero, "Random seed."),
          Setting(
            "precision", \.precision, .choice(of: Precision.self),
            "Precision to compute in; auto is bfloat16 if the device is fast with it, else float32."),
        ]),
      SettingGroup(
        "Optimizer",
        [
          Setting("learning_rate", \.schedule.peak, .number(.between(0, 10)), "Highest learning rate."),
          Setting(
            "schedule", \.schedule.shape, .choice(of: LearningRateSchedule.Shape.self),
            "Shape of the learning-rate schedule after the warm-up."),
          Setting(
            "warmup_steps", \.schedule.warmupSteps, .countOrZero, "Steps of linear warm-up.",
            default: "steps / 10, at most 100"),
          Setting(
            "decay_fraction", \.schedule.decayFraction, .number(.above(0, through: 1)),
            "Fraction of the steps, at the end, in which stable-decay lowers the rate."
          ).only(with: "schedule", .text(LearningRateSchedule.Shape.stableDecay.rawValue)),
          Setting(
            "weight_decay", \.optimizer.weightDecay, .number(.nonNegative),
            "AdamW weight decay, applied to matrices only."),
          Setting(
            "gradient_clip", \.gradientClip, .number(.nonNegative),
            "Clip the gradient norm to this value; 0 disables clipping."),
          Setting(
            "ema_decay", \.emaDecay, .number(.between(0, 1)),
            "Keep an exponential moving average of the weights, which is evaluated and becomes the model.",
            default: "none"),
          Setting(
            "max_skipped_batches", \.skipLimit, .countOrZero,
            "Maximum number of consecutive batches to skip because the loss or gradient is not finite."),
        ]),
      SettingGroup(
        "Evaluation and checkpoints",
        [
          Setting("log_interval", \.logInterval, .count, "Steps between log lines."),
          Setting(
            "eval_interval", \.evaluationInterval, .countOrZero,
            "Steps between evaluations; 0 evaluates only at the end.", default: "steps / 10"),
          Setting("eval_sequences", \.evaluationSequences, .count, "Held-out sequences per evaluation."),
          Setting(
            "checkpoint_interval", \.checkpointInterval, .countOrZero,
            "Steps between checkpoints; 0 writes one only at the end.", default: "steps / 5"),
          Setting(
            "keep_checkpoints", \.checkpointsToKeep, .count, "Latest checkpoints to keep, in addition to the best."),
          Setting(
            "best_metric", \.bestMetricOrNone, .choice(metrics + ["none"]),
            "Evaluation metric that determines the best checkpoint; none disables keeping the best."),
        ]),
    ]
  }

  private var bestMetricOrNone: String {
    get { bestMetric ?? "none" }
    set { bestMetric = newValue == "none" ? nil : newValue }
  }

  /// Derives the settings that depend on others and were not given.
  mutating func derive(_ given: GivenSettings, chunkSize: Int) {
    if !given.has("sequence_length") { sequenceLength = max(2, sequenceLength / chunkSize) * chunkSize }
    // If tokens are given but steps are not, only the tokens limit the run.
    if !given.has("steps"), let stepsOfTokens { steps = stepsOfTokens }
    if !given.has("warmup_steps") { schedule.warmupSteps = min(schedule.warmupSteps, max(1, totalSteps / 10)) }
    if !given.has("eval_interval") { evaluationInterval = max(1, totalSteps / 10) }
    if !given.has("checkpoint_interval") { checkpointInterval = max(1, totalSteps / 5) }
  }

  /// The errors in combinations of these settings.
  func faults(_ given: GivenSettings, chunkSize: Int, auxiliaryWarmupSteps: Int) -> [String] {
    var faults: [String] = []
    if batchSize % gradientAccumulation != 0 {
      faults.append(
        "\(given.title(of: "batch_size")) \(batchSize) cannot be split into the \(gradientAccumulation) parts of "
          + given.title(of: "gradient_accumulation"))
    }
    if sequenceLength % chunkSize != 0 || sequenceLength < 2 * chunkSize {
      faults.append(
        "\(given.title(of: "sequence_length")) \(sequenceLength) must be at least two chunks of \(chunkSize) tokens")
    }
    let warmups = [("warmup_steps", schedule.warmupSteps), ("aux_warmup_steps", auxiliaryWarmupSteps)]
    for (name, steps) in warmups where given.has(name) && steps > 0 && steps >= totalSteps {
      faults.append(
        "\(given.title(of: name)) \(steps) covers all \(totalSteps) steps of the run; shorten it, or train longer")
    }
    return faults
  }
}

extension LearningRateSchedule.Shape: SettingConvertible {}

extension Precision: SettingConvertible {}

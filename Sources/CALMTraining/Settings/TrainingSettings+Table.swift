import Torch

extension TrainingSettings {
  /// The settings of the training loop.
  ///
  /// - Parameters:
  ///   - metrics: those of the evaluations.
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
            "Stop after this time, such as 90s, 30m or 8h, counted anew when resumed; the schedule ignores it."
          ).changeable,
          Setting("batch_size", \.batchSize, .count, "Sequences per step."),
          Setting(
            "gradient_accumulation", \.gradientAccumulation, .count,
            "Compute a step's sequences in this many parts, to save memory."),
        ] + (hasTransformer ? [checkpointing] : []) + [
          Setting(
            "sequence_length", \.sequenceLength, .count, "Tokens of a sequence, a multiple of the chunk size.",
            default: "256, rounded down to whole chunks"),
          Setting("seed", \.seed, .countOrZero, "Random seed."),
          Setting(
            "precision", \.precision, .choice(of: Precision.self),
            "The type to compute in; auto is bfloat16 where the device is fast with it, else float32."),
        ]),
      SettingGroup(
        "Optimizer",
        [
          Setting("learning_rate", \.schedule.peak, .number(.between(0, 10)), "The highest learning rate."),
          Setting(
            "schedule", \.schedule.shape, .choice(of: LearningRateSchedule.Shape.self),
            "The learning rate after the warm-up."),
          Setting(
            "warmup_steps", \.schedule.warmupSteps, .countOrZero, "Steps of linear warm-up.",
            default: "steps / 10, at most 100"),
          Setting(
            "decay_fraction", \.schedule.decayFraction, .number(.above(0, through: 1)),
            "The last fraction of the steps, in which stable-decay lowers the rate."
          ).only(with: "schedule", .text(LearningRateSchedule.Shape.stableDecay.rawValue)),
          Setting(
            "weight_decay", \.optimizer.weightDecay, .number(.nonNegative),
            "AdamW weight decay, applied to matrices only."),
          Setting(
            "gradient_clip", \.gradientClip, .number(.nonNegative), "Scale gradients down to this norm; 0 never does."),
          Setting(
            "ema_decay", \.emaDecay, .number(.between(0, 1)),
            "Keep an exponential moving average of the weights, which is evaluated and becomes the model.",
            default: "none"),
          Setting(
            "max_skipped_batches", \.skipLimit, .countOrZero,
            "Batches in a row that may be skipped for a loss or gradient that is not finite."),
        ]),
      SettingGroup(
        "Evaluation and checkpoints",
        [
          Setting("log_interval", \.logInterval, .count, "Steps between lines of metrics."),
          Setting(
            "eval_interval", \.evaluationInterval, .countOrZero,
            "Steps between evaluations; 0 evaluates only at the end.", default: "steps / 10"),
          Setting("eval_sequences", \.evaluationSequences, .count, "Held-out sequences of each evaluation."),
          Setting(
            "checkpoint_interval", \.checkpointInterval, .countOrZero,
            "Steps between checkpoints; 0 writes one only at the end.", default: "steps / 5"),
          Setting("keep_checkpoints", \.checkpointsToKeep, .count, "Latest checkpoints to keep besides the best."),
          Setting(
            "best_metric", \.bestMetricOrNone, .choice(metrics + ["none"]),
            "The metric of the evaluations that chooses the best checkpoint; none keeps no best one."),
        ]),
    ]
  }

  private var bestMetricOrNone: String {
    get { bestMetric ?? "none" }
    set { bestMetric = newValue == "none" ? nil : newValue }
  }

  /// Sets the lengths that follow from others, where they were not given.
  mutating func derive(_ given: GivenSettings, chunkSize: Int) {
    if !given.has("sequence_length") { sequenceLength = max(2, sequenceLength / chunkSize) * chunkSize }
    // Where tokens are given and steps are not, the tokens alone limit the run.
    if !given.has("steps"), let stepsOfTokens { steps = stepsOfTokens }
    if !given.has("warmup_steps") { schedule.warmupSteps = min(schedule.warmupSteps, max(1, totalSteps / 10)) }
    if !given.has("eval_interval") { evaluationInterval = max(1, totalSteps / 10) }
    if !given.has("checkpoint_interval") { checkpointInterval = max(1, totalSteps / 5) }
  }

  /// What is wrong with these settings together.
  func faults(_ given: GivenSettings, chunkSize: Int, auxiliaryWarmupSteps: Int) -> [String] {
    var faults: [String] = []
    if batchSize % gradientAccumulation != 0 {
      faults.append(
        "\(given.title(of: "batch_size")) \(batchSize) cannot be split into the \(gradientAccumulation) parts of "
          + given.title(of: "gradient_accumulation"))
    }
    if sequenceLength % chunkSize != 0 || sequenceLength < 2 * chunkSize {
      faults.append(
        "\(given.title(of: "sequence_length")) \(sequenceLength) is not two or more chunks of \(chunkSize) tokens")
    }
    let warmups = [("warmup_steps", schedule.warmupSteps), ("aux_warmup_steps", auxiliaryWarmupSteps)]
    for (name, steps) in warmups where given.has(name) && steps > 0 && steps >= totalSteps {
      faults.append(
        "\(given.title(of: name)) \(steps) takes all \(totalSteps) steps of the run; shorten it, or train longer")
    }
    return faults
  }
}

extension LearningRateSchedule.Shape: SettingConvertible {}

extension Precision: SettingConvertible {}

import CALMSupport

/// An estimate of what a data-parallel training takes: time, memory, communication, checkpoints and restarts.
///
/// The estimate follows from the sizes of the model, the counting rules of ``ModelCost`` and ``ActivationCost``, and
/// the assumptions in ``Cluster``. It models this package's trainer: every device has all weights and gradients,
/// gradients are averaged during the last backward pass of a step, and one process writes checkpoints while the others
/// wait.
public struct TrainingPlan: Hashable, Sendable {
  /// What is trained, and how.
  public struct Training: Hashable, Sendable {
    /// Tokens of the whole run.
    public var tokens: Double
    /// Sequences per step over all devices, each as long as the model's context.
    public var batchSize = 256
    /// The parts in which a device computes its sequences; nil for one sequence at a time.
    public var gradientAccumulation: Int?
    /// Bytes of a value in the type of the computation: 2 for bfloat16, 4 for float32.
    public var valueBytes = 2
    /// Whether each device keeps its part of the optimizer's state only (stage 1 of ZeRO).
    public var shardsOptimizer = false
    /// Whether the backward pass recomputes the Transformer's layers.
    public var recomputesLayers = false

    /// A training with default settings.
    public init(tokens: Double) { self.tokens = tokens }
  }

  /// The devices and what is assumed of them.
  public struct Cluster: Hashable, Sendable {
    /// The number of devices.
    public var devices: Int
    /// The peak rate of a device for matrix products, in FLOP/s.
    public var flopsPerSecond: Double
    /// The share of that rate that training reaches, as model FLOPs of ``ModelCost``.
    public var utilization = 0.4
    /// The rate at which a device sends while it receives as much, in bytes per second.
    public var linkBytesPerSecond = 50e9
    /// The rate at which one process writes a checkpoint, in bytes per second.
    public var diskBytesPerSecond = 1e9
    /// The mean time between failures of a device, in hours. Any failure stops all devices.
    public var hoursBetweenFailures = 50_000.0
    /// The time from a failure until training continues from the last checkpoint, in hours.
    public var restartHours = 0.25

    /// A cluster with default assumptions.
    public init(devices: Int, flopsPerSecond: Double) {
      (self.devices, self.flopsPerSecond) = (devices, flopsPerSecond)
    }
  }

  /// The model.
  public let model: Preset.Model
  /// What is trained, and how.
  public let training: Training
  /// The devices.
  public let cluster: Cluster
  /// The parts in which a device computes its sequences of a step.
  public let gradientAccumulation: Int

  /// A plan.
  ///
  /// - Precondition: all quantities are above 0.
  /// - Throws: ``TrainingPlanError`` if the devices cannot share the batch equally.
  public init(_ model: Preset.Model, _ training: Training, on cluster: Cluster) throws(TrainingPlanError) {
    precondition(cluster.devices > 0 && training.batchSize > 0 && training.tokens > 0, "TrainingPlan: empty")
    let parts = training.gradientAccumulation ?? max(1, training.batchSize / cluster.devices)
    guard training.batchSize % (cluster.devices * parts) == 0 else {
      throw .unevenBatch(sequences: training.batchSize, devices: cluster.devices, parts: parts)
    }
    (self.model, self.training, self.cluster) = (model, training, cluster)
    gradientAccumulation = parts
  }
}

// MARK: Steps and time

extension TrainingPlan {
  /// Tokens in a sequence: the model's context, and 2,048 for an autoencoder, as in the paper.
  public var sequenceLength: Int {
    switch model {
    case .continuous(let model, _): model.maximumPositions * model.chunkSize
    case .autoregressive(let model): model.transformer.maximumPositions
    case .autoencoder: 2048
    }
  }

  /// Tokens in a step.
  public var tokensPerStep: Int { training.batchSize * sequenceLength }

  /// The steps of the run.
  public var steps: Int { Int((training.tokens / Double(tokensPerStep)).rounded(.up)) }

  /// FLOPs of the run by the rule of ``ModelCost``, without recomputation.
  public var modelFlops: Double { model.cost.trainingPerToken * training.tokens }

  /// FLOPs of the run, with recomputed layers if the training recomputes them: a third of their forward and backward
  /// pass.
  public var flops: Double {
    training.recomputesLayers ? modelFlops + recomputedPerToken * training.tokens : modelFlops
  }

  private var recomputedPerToken: Double {
    switch model {
    case .continuous(let model, _):
      2 * Double(model.transformer.weights + model.transformer.attentionMACs) / Double(model.chunkSize)
    case .autoregressive(let model): 2 * Double(model.transformer.weights + model.transformer.attentionMACs)
    case .autoencoder: 0
    }
  }

  /// Hours of computing, without waiting, checkpoints and failures.
  public var computingHours: Double {
    flops / (Double(cluster.devices) * cluster.flopsPerSecond * cluster.utilization) / 3600
  }

  /// Seconds in which a device computes a step.
  public var stepSeconds: Double {
    let flopsPerToken = flops / training.tokens
    return flopsPerToken * Double(tokensPerStep)
      / (Double(cluster.devices) * cluster.flopsPerSecond * cluster.utilization)
  }

  /// Hours with everything: computing, communication that does not overlap, checkpoints, failures. Infinite if failures
  /// come before training makes progress.
  public var elapsedHours: Double {
    let steps = Double(self.steps) * exposedSecondsPerStep / 3600
    let written = (computingHours + steps) * (1 + checkpointSeconds / 3600 / checkpointIntervalHours)
    let lost = lostHoursPerFailure / hoursBetweenFailures
    return lost < 1 ? written / (1 - lost) : .infinity
  }
}

/// A plan that the devices cannot carry out.
public enum TrainingPlanError: DescribedError, Equatable {
  /// The sequences of a step do not divide among the devices and their parts.
  case unevenBatch(sequences: Int, devices: Int, parts: Int)

  /// One line.
  public var description: String {
    switch self {
    case .unevenBatch(let sequences, let devices, let parts):
      "\(sequences) sequences per step cannot be split among \(devices) devices with "
        + "\(parts) part\(parts == 1 ? "" : "s") each; choose a multiple of \(devices * parts)"
    }
  }
}

// MARK: Communication

extension TrainingPlan {
  /// Bytes that each device sends per step to average the gradients, by a ring: 2(N − 1)/N of the gradients.
  public var gradientExchangeBytes: Double {
    let n = Double(cluster.devices)
    return 2 * (n - 1) / n * Double(model.cost.parameters * training.valueBytes)
  }

  /// Bytes that each device sends per step to distribute the updated weights; 0 unless the optimizer is sharded.
  public var weightExchangeBytes: Double {
    guard training.shardsOptimizer else { return 0 }
    let n = Double(cluster.devices)
    return (n - 1) / n * Double(model.cost.parameters * training.valueBytes)
  }

  /// Seconds per step in which gradients are sent.
  public var gradientExchangeSeconds: Double { gradientExchangeBytes / cluster.linkBytesPerSecond }

  /// Seconds of the last backward pass of a step, during which gradients are sent. It takes all of a part's time but
  /// that of its forward pass, a third of the FLOPs without recomputation.
  public var backwardSeconds: Double {
    stepSeconds / Double(gradientAccumulation) * (1 - modelFlops / flops / 3)
  }

  /// Whether sending the gradients takes no longer than the backward pass.
  public var hidesGradientExchange: Bool { gradientExchangeSeconds <= backwardSeconds }

  /// Seconds per step in which devices wait for communication.
  public var exposedSecondsPerStep: Double {
    max(0, gradientExchangeSeconds - backwardSeconds) + weightExchangeBytes / cluster.linkBytesPerSecond
  }
}

// MARK: Checkpoints and failures

extension TrainingPlan {
  /// The bytes of the tensors in a checkpoint: weights and both moments in float32, and the frozen autoencoder.
  public var checkpointBytes: Int { 4 * (3 * model.cost.parameters + model.cost.frozenParameters) }

  /// Seconds to write a checkpoint.
  public var checkpointSeconds: Double { Double(checkpointBytes) / cluster.diskBytesPerSecond }

  /// The mean time between failures of any device, in hours.
  public var hoursBetweenFailures: Double { cluster.hoursBetweenFailures / Double(cluster.devices) }

  /// The interval of checkpoints that loses the least time, by Young's approximation (1974): √(2 · write time · time
  /// between failures).
  public var checkpointIntervalHours: Double {
    (2 * checkpointSeconds / 3600 * hoursBetweenFailures).squareRoot()
  }

  /// Hours lost by a failure: half a checkpoint interval, and the restart.
  public var lostHoursPerFailure: Double { checkpointIntervalHours / 2 + cluster.restartHours }

  /// The expected number of failures in the whole run.
  public var expectedRestarts: Double { elapsedHours / hoursBetweenFailures }

  /// The expected hours lost by failures.
  public var lostHours: Double { expectedRestarts * lostHoursPerFailure }

  /// Hours spent on writing checkpoints.
  public var checkpointHours: Double {
    let steps = Double(self.steps) * exposedSecondsPerStep / 3600
    return (computingHours + steps) / checkpointIntervalHours * checkpointSeconds / 3600
  }
}

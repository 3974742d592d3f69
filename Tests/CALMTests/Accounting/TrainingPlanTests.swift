import CALM
import Testing
import Torch

@Suite("Planning a training")
struct TrainingPlanTests {
  /// 2,792 parameters: two tables of 800, 576 weights per layer, 40 in norms. 6 · (1,152 + 1,024 + 800) = 17,856 FLOPs
  /// per token.
  private static let tiny = AutoregressiveConfiguration(
    vocabularySize: 100,
    transformer: {
      var shape = TransformerShape(
        hiddenSize: 8, intermediateSize: 16, layers: 2, attentionHeads: 2, keyValueHeads: 1)
      shape.maximumPositions = 32
      return shape
    }(), tiesEmbeddings: false)

  /// 250 steps of 8 sequences on 4 devices with small round rates.
  private func plan(
    _ model: Preset.Model = .autoregressive(Self.tiny),
    _ change: (inout TrainingPlan.Training, inout TrainingPlan.Cluster) -> Void = { _, _ in }
  ) throws -> TrainingPlan {
    var training = TrainingPlan.Training(tokens: 64_000)
    training.batchSize = 8
    var cluster = TrainingPlan.Cluster(devices: 4, flopsPerSecond: 1e9)
    (cluster.utilization, cluster.linkBytesPerSecond, cluster.diskBytesPerSecond) = (0.5, 1e6, 1e6)
    (cluster.hoursBetweenFailures, cluster.restartHours) = (100, 0.1)
    change(&training, &cluster)
    return try TrainingPlan(model, training, on: cluster)
  }

  private func expect(_ value: Double, _ expected: Double, _ location: SourceLocation = #_sourceLocation) {
    #expect(abs(value / expected - 1) < 1e-12, "\(value) instead of \(expected)", sourceLocation: location)
  }

  @Test("Steps, FLOPs and hours of a tiny Transformer are those computed by hand.")
  func time() throws {
    let plan = try plan()
    #expect(plan.tokensPerStep == 256 && plan.steps == 250)
    expect(plan.modelFlops, 17_856 * 64_000)
    expect(plan.stepSeconds, 17_856 * 256 / 2e9)
    expect(plan.computingHours, 17_856 * 64_000 / 2e9 / 3600)
    let recomputing = try self.plan { training, _ in training.recomputesLayers = true }
    // The layers once more: 2 · (1,152 + 1,024) FLOPs per token.
    expect(recomputing.flops, (17_856 + 4_352) * 64_000)
    expect(recomputing.computingHours / plan.computingHours, (17_856 + 4_352) / 17_856)
  }

  @Test("The memory of a tiny Transformer is that computed by hand.")
  func memory() throws {
    let plan = try plan()
    #expect(plan.gradientAccumulation == 2 && plan.sequencesAtOnce == 1)
    #expect(plan.weightBytes == 2 * 2_792)
    #expect(plan.gradientBytes == 2 * 2 * 2_792)
    #expect(plan.optimizerBytes(sharded: false) == 12 * 2_792)
    #expect(plan.optimizerBytes(sharded: true) == 12 * 698)
    // A layer: 6 · 8 + 2 · 4 + 3 · 16 = 104 values and 4 in float32. Norm and loss: 16 values, 1 in float32; and a
    // gradient of 100 · 8.
    #expect(plan.activationBytes(recomputed: false) == 32 * (2 * (208 + 16) + 32 + 4) + 1_600)
    #expect(plan.activationBytes(recomputed: true) == 32 * (2 * 16 + (208 + 16) + 32 + 4) + 1_600)
    #expect(plan.memoryBytes == 5_584 + 11_168 + 33_504 + 17_088)
    let float32 = try self.plan { training, _ in (training.valueBytes, training.gradientAccumulation) = (4, 1) }
    #expect(float32.optimizerBytes(sharded: false) == 8 * 2_792)
    #expect(float32.gradientBytes == 4 * 2_792 && float32.sequencesAtOnce == 2)
  }

  @Test("Communication, checkpoints and failures are those computed by hand.")
  func overheads() throws {
    let plan = try plan()
    expect(plan.gradientExchangeBytes, 1.5 * 5_584)
    expect(plan.gradientExchangeSeconds, 8.376e-3)
    expect(plan.backwardSeconds, 2.285568e-3 / 2 * 2 / 3)
    #expect(!plan.hidesGradientExchange)
    expect(plan.exposedSecondsPerStep, 8.376e-3 - 0.761856e-3)
    #expect(plan.checkpointBytes == 12 * 2_792)
    expect(plan.checkpointSeconds, 0.033504)
    expect(plan.hoursBetweenFailures, 25)
    let interval = (2 * 0.033504 / 3600 * 25).squareRoot()
    expect(plan.checkpointIntervalHours, interval)
    expect(plan.lostHoursPerFailure, interval / 2 + 0.1)
    let useful = plan.computingHours + 250 * 7.614144e-3 / 3600
    let elapsed = useful * (1 + 0.033504 / 3600 / interval) / (1 - (interval / 2 + 0.1) / 25)
    expect(plan.elapsedHours, elapsed)
    expect(plan.expectedRestarts, elapsed / 25)
    let fast = try self.plan { _, cluster in cluster.linkBytesPerSecond = 1e9 }
    #expect(fast.hidesGradientExchange && fast.exposedSecondsPerStep == 0)
    let sharded = try self.plan { training, cluster in
      (training.shardsOptimizer, cluster.linkBytesPerSecond) = (true, 1e9)
    }
    expect(sharded.exposedSecondsPerStep, 0.75 * 5_584 / 1e9)
  }

  @Test("The parts of the elapsed time add up to it.", arguments: Preset.allCases)
  func sumOfTimes(_ preset: Preset) throws {
    let plan = try plan(preset.model) { training, cluster in
      training.tokens = 1e11
      cluster = TrainingPlan.Cluster(devices: 8, flopsPerSecond: 1e15)
    }
    let waiting = Double(plan.steps) * plan.exposedSecondsPerStep / 3600
    let sum = plan.computingHours + waiting + plan.checkpointHours + plan.lostHours
    #expect(abs(sum / plan.elapsedHours - 1) < 1e-9)
    #expect(plan.elapsedHours > plan.computingHours)
  }

  @Test(
    "Twice the devices take half the hours; N devices hold an N-th of the optimizer's state.",
    arguments: Preset.allCases)
  func scaling(_ preset: Preset) throws {
    let plans = try [8, 16].map { devices in
      try plan(preset.model) { training, cluster in
        training.batchSize = 256
        cluster.devices = devices
      }
    }
    expect(plans[0].computingHours / plans[1].computingHours, 2)
    #expect(plans[0].flops == plans[1].flops && plans[0].steps == plans[1].steps)
    let whole = plans[0].optimizerBytes(sharded: false)
    for (plan, devices) in zip(plans, [8, 16]) {
      #expect(plan.optimizerBytes(sharded: false) == whole)
      #expect((whole..<whole + 12 * devices).contains(devices * plan.optimizerBytes(sharded: true)))
    }
    #expect(plans[0].activationBytes(recomputed: false) == plans[1].activationBytes(recomputed: false))
  }

  @Test("Recomputation keeps no more activations; two sequences at once keep twice the values of each position.")
  func activations() throws {
    for preset in Preset.allCases {
      let cost = preset.model.activations
      let (kept, recomputed) = (
        cost.bytes(positions: 1000, width: 2, recomputingLayers: false),
        cost.bytes(positions: 1000, width: 2, recomputingLayers: true)
      )
      #expect(cost.layers == 0 ? kept == recomputed : kept > recomputed, "\(preset)")
      let constant = cost.constantValues * 2
      #expect(cost.bytes(positions: 2000, width: 2, recomputingLayers: false) - constant == 2 * (kept - constant))
    }
  }

  @Test("One device exchanges nothing; failures faster than restarts leave no progress.")
  func limits() throws {
    let alone = try plan { _, cluster in cluster.devices = 1 }
    #expect(alone.gradientExchangeBytes == 0 && alone.exposedSecondsPerStep == 0)
    #expect(alone.gradientBytes == 2 * 2_792)
    let hopeless = try plan { _, cluster in cluster.hoursBetweenFailures = 0.3 }
    #expect(hopeless.elapsedHours == .infinity)
    #expect(throws: TrainingPlanError.unevenBatch(sequences: 8, devices: 3, parts: 2)) {
      try plan { _, cluster in cluster.devices = 3 }
    }
    #expect(throws: TrainingPlanError.unevenBatch(sequences: 8, devices: 16, parts: 1)) {
      try plan { _, cluster in cluster.devices = 16 }
    }
  }

  @Test(
    "Weights and optimizer state take the bytes of a real model and its AdamW.", arguments: [DType.float32, .bfloat16])
  func realState(_ dtype: DType) throws {
    let model = AutoregressiveModel(Self.tiny, generator: Generator(seed: 1))
    model.convert(to: dtype, device: .cpu)
    let width = dtype == .float32 ? 4 : 2
    let plan = try plan { training, _ in training.valueBytes = width }
    let parameters = model.namedParameters()
    #expect(parameters.reduce(0) { $0 + $1.tensor.count } * width == plan.weightBytes)
    let optimizer = AdamW(parameters)
    var tensors = Array(optimizer.moments.values)
    // In float32 the parameters are their own masters.
    if dtype == .bfloat16 { tensors += optimizer.masters.values }
    #expect(tensors.allSatisfy { $0.dtype == .float32 })
    #expect(tensors.reduce(0) { $0 + $1.count } * 4 == plan.optimizerBytes(sharded: false))
  }
}

import CALM
import CALMTerminal
import Foundation

/// What `calm info --plan` says. Rates are per second, sizes in bytes.
struct PlanReport: Encodable {
  private let model: String
  private let tokens: Double
  private let devices: Int
  private let flopsPerSecond: Double
  private let utilization: Double
  private let precision: String
  private let batchSize: Int
  private let sequenceLength: Int
  private let gradientAccumulation: Int
  private let shardOptimizer: Bool
  private let gradientCheckpointing: Bool
  private let linkBytesPerSecond: Double
  private let diskBytesPerSecond: Double
  private let deviceHoursBetweenFailures: Double
  private let restartHours: Double

  private let steps: Int
  private let modelFlops: Double
  private let flops: Double
  private let computingHours: Double
  private let elapsedHours: Double
  private let stepSeconds: Double

  private let weightBytes: Int
  private let gradientBytes: Int
  private let optimizerBytes: Int
  private let shardedOptimizerBytes: Int
  private let activationBytes: Int
  private let recomputedActivationBytes: Int
  private let memoryBytes: Int

  private let gradientExchangeBytes: Double
  private let gradientExchangeSeconds: Double
  private let weightExchangeBytes: Double
  private let backwardSeconds: Double
  private let gradientExchangeIsHidden: Bool
  private let exposedSecondsPerStep: Double

  private let checkpointBytes: Int
  private let checkpointSeconds: Double
  private let checkpointIntervalHours: Double
  private let checkpointHours: Double
  private let hoursBetweenFailures: Double
  private let expectedRestarts: Double
  private let lostHours: Double

  init(_ plan: TrainingPlan, of name: String) {
    let (training, cluster) = (plan.training, plan.cluster)
    model = name
    tokens = training.tokens
    devices = cluster.devices
    flopsPerSecond = cluster.flopsPerSecond
    utilization = cluster.utilization
    precision = training.valueBytes == 4 ? "float32" : "bfloat16"
    batchSize = training.batchSize
    sequenceLength = plan.sequenceLength
    gradientAccumulation = plan.gradientAccumulation
    shardOptimizer = training.shardsOptimizer
    gradientCheckpointing = training.recomputesLayers
    linkBytesPerSecond = cluster.linkBytesPerSecond
    diskBytesPerSecond = cluster.diskBytesPerSecond
    deviceHoursBetweenFailures = cluster.hoursBetweenFailures
    restartHours = cluster.restartHours
    steps = plan.steps
    modelFlops = plan.modelFlops
    flops = plan.flops
    computingHours = plan.computingHours
    elapsedHours = plan.elapsedHours
    stepSeconds = plan.stepSeconds
    weightBytes = plan.weightBytes
    gradientBytes = plan.gradientBytes
    optimizerBytes = plan.optimizerBytes(sharded: false)
    shardedOptimizerBytes = plan.optimizerBytes(sharded: true)
    activationBytes = plan.activationBytes(recomputed: false)
    recomputedActivationBytes = plan.activationBytes(recomputed: true)
    memoryBytes = plan.memoryBytes
    gradientExchangeBytes = plan.gradientExchangeBytes
    gradientExchangeSeconds = plan.gradientExchangeSeconds
    weightExchangeBytes = plan.weightExchangeBytes
    backwardSeconds = plan.backwardSeconds
    gradientExchangeIsHidden = plan.hidesGradientExchange
    exposedSecondsPerStep = plan.exposedSecondsPerStep
    checkpointBytes = plan.checkpointBytes
    checkpointSeconds = plan.checkpointSeconds
    checkpointIntervalHours = plan.checkpointIntervalHours
    checkpointHours = plan.checkpointHours
    hoursBetweenFailures = plan.hoursBetweenFailures
    expectedRestarts = plan.expectedRestarts
    lostHours = plan.lostHours
  }

  /// The plan for people.
  var text: String {
    var table = Table(alignments: [.left, .right, .left])
    func add(_ name: String, _ value: String, _ remark: String = "") { table.append([name, value, remark]) }
    add("steps", grouped(steps), "\(grouped(batchSize)) sequences of \(grouped(sequenceLength)) tokens each")
    add("FLOPs", scientific(flops), gradientCheckpointing ? "\(scientific(modelFlops)) without recomputation" : "")
    add("computing", time(computingHours), "\(time(stepSeconds / 3600)) per step")
    add("in all", time(elapsedHours), "with communication, checkpoints and failures")
    table.append([])
    add("memory per device", size(memoryBytes))
    add("  weights", size(weightBytes))
    add("  gradients", size(gradientBytes), gradientAccumulation > 1 && devices > 1 ? "sums and buffers" : "")
    add(
      "  optimizer", size(shardOptimizer ? shardedOptimizerBytes : optimizerBytes),
      shardOptimizer ? "\(size(optimizerBytes)) if not sharded" : "\(size(shardedOptimizerBytes)) if sharded")
    add(
      "  activations", size(gradientCheckpointing ? recomputedActivationBytes : activationBytes),
      (gradientCheckpointing ? "\(size(activationBytes)) without" : "\(size(recomputedActivationBytes)) with")
        + " recomputation; \(counted(batchSize / devices / gradientAccumulation, "sequence")) at once")
    table.append([])
    let hiding = gradientExchangeIsHidden ? "hidden behind" : "not hidden by"
    add(
      "gradients sent per step", size(gradientExchangeBytes),
      devices == 1 ? "" : "\(time(gradientExchangeSeconds / 3600)), \(hiding) \(time(backwardSeconds / 3600)) backward")
    if shardOptimizer { add("weights sent per step", size(weightExchangeBytes)) }
    add("waiting per step", time(exposedSecondsPerStep / 3600))
    table.append([])
    add("checkpoint", size(checkpointBytes), "written in \(time(checkpointSeconds / 3600))")
    add("best interval", time(checkpointIntervalHours), "\(time(checkpointHours)) of writing in all")
    add(
      "expected restarts", String(format: "%.2f", expectedRestarts),
      "\(time(lostHours)) lost; one failure in \(time(hoursBetweenFailures))")
    return """
      \(model): \(shortCount(Int(tokens))) tokens on \(counted(devices, "device")) of \
      \(String(format: "%g", flopsPerSecond / 1e12)) TFLOP/s, of which \(String(format: "%g", utilization * 100)) % are \
      reached, in \(precision)

      \(table.text)
      Assumed: \(String(format: "%g", linkBytesPerSecond / 1e9)) GB/s between devices, \
      \(String(format: "%g", diskBytesPerSecond / 1e9)) GB/s to disk, a failure per device in \
      \(String(format: "%g", deviceHoursBetweenFailures)) hours, \(time(restartHours)) for a restart.

      """
  }

  private func size(_ bytes: Int) -> String { shortBytes(bytes) }
  private func size(_ bytes: Double) -> String { shortBytes(Int(bytes)) }

  /// `350 ms`, `12.5 s`, `4.2 min`, `18.6 h`, `2.5 days`.
  private func time(_ hours: Double) -> String {
    let seconds = hours * 3600
    return switch seconds {
    case ..<1: String(format: "%.3g ms", seconds * 1000)
    case ..<120: String(format: "%.3g s", seconds)
    case ..<7200: String(format: "%.3g min", seconds / 60)
    case ..<172_800: String(format: "%.3g h", hours)
    case .infinity: "without end"
    default: "\(String(format: "%.1f", hours / 24)) days"
    }
  }
}

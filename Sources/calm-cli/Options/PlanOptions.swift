import ArgumentParser
import CALM
import CALMTerminal
import Torch

/// The training that `calm info --plan` estimates.
struct PlanOptions: ParsableArguments {
  @Option(
    name: .customLong("plan"),
    help: ArgumentHelp("Estimate the training of the model on this many tokens, such as 230B.", valueName: "tokens"))
  var tokens: TokenCount?

  @Option(
    help: ArgumentHelp("Devices that train together. (default: 1)", valueName: "n"),
    transform: whole(from: 1, to: 1 << 16))
  var devices: Int?

  @Option(
    help: ArgumentHelp("Peak rate of a device for matrix products, in TFLOP/s.", valueName: "tflops"),
    transform: amount)
  var rate: Double?

  @Option(
    help: ArgumentHelp("Share of that rate that training reaches. (default: 0.4)", valueName: "share"),
    transform: amount)
  var utilization: Double?

  @Option(
    help: ArgumentHelp("Sequences per step, of all devices. (default: 256)", valueName: "n"),
    transform: whole(from: 1, to: 1 << 16))
  var batchSize: Int?

  @Option(
    help: ArgumentHelp(
      "Parts in which a device computes its sequences. (default: one sequence at a time)", valueName: "n"),
    transform: whole(from: 1, to: 1 << 16))
  var gradientAccumulation: Int?

  @Option(help: "The type to compute in. (default: bfloat16)")
  var precision: Precision?

  @Flag(help: "Divide the optimizer's state among the devices.")
  var shardOptimizer = false

  @Flag(help: "Recompute the Transformer's layers in the backward pass.")
  var gradientCheckpointing = false

  @Option(
    help: ArgumentHelp("Rate at which a device sends gradients, in GB/s. (default: 50)", valueName: "gb/s"),
    transform: amount)
  var link: Double?

  @Option(
    help: ArgumentHelp("Rate at which checkpoints are written, in GB/s. (default: 1)", valueName: "gb/s"),
    transform: amount)
  var disk: Double?

  @Option(
    help: ArgumentHelp("Mean time between failures of one device, in hours. (default: 50000)", valueName: "hours"),
    transform: amount)
  var mtbf: Double?

  @Option(
    help: ArgumentHelp("Minutes from a failure until training continues. (default: 15)", valueName: "minutes"),
    transform: amount)
  var restartMinutes: Double?

  func validate() throws {
    let others: OptionValues = [
      "--devices": devices, "--rate": rate, "--utilization": utilization, "--batch-size": batchSize,
      "--gradient-accumulation": gradientAccumulation, "--precision": precision,
      "--shard-optimizer": shardOptimizer.ifGiven, "--gradient-checkpointing": gradientCheckpointing.ifGiven,
      "--link": link, "--disk": disk, "--mtbf": mtbf, "--restart-minutes": restartMinutes,
    ]
    try refuse(withoutEffect("without --plan", when: tokens == nil, others))
    guard let tokens else { return }
    if tokens.count > 1e18 { throw ValidationError("--plan must be at most 1e18 tokens, not \(tokens.count)") }
    if rate == nil { throw ValidationError("--plan needs --rate, the peak rate of a device in TFLOP/s") }
    if let utilization, utilization > 1 { throw ValidationError("--utilization must be at most 1, not \(utilization)") }
    let rates = [
      ("--rate", rate), ("--utilization", utilization), ("--link", link), ("--disk", disk), ("--mtbf", mtbf),
    ]
    for case (let name, .some(0)) in rates { throw ValidationError("\(name) must be above 0") }
  }

  /// The plan for a model; nil without `--plan`.
  ///
  /// - Throws: ``TrainingPlanError``.
  func plan(of model: Preset.Model) throws -> TrainingPlan? {
    guard let tokens, let rate else { return nil }
    var training = TrainingPlan.Training(tokens: tokens.count)
    training.batchSize = batchSize ?? training.batchSize
    training.gradientAccumulation = gradientAccumulation
    training.valueBytes = precision == .float32 ? 4 : 2
    training.shardsOptimizer = shardOptimizer
    training.recomputesLayers = gradientCheckpointing
    var cluster = TrainingPlan.Cluster(devices: devices ?? 1, flopsPerSecond: rate * 1e12)
    cluster.utilization = utilization ?? cluster.utilization
    cluster.linkBytesPerSecond = link.map { $0 * 1e9 } ?? cluster.linkBytesPerSecond
    cluster.diskBytesPerSecond = disk.map { $0 * 1e9 } ?? cluster.diskBytesPerSecond
    cluster.hoursBetweenFailures = mtbf ?? cluster.hoursBetweenFailures
    cluster.restartHours = restartMinutes.map { $0 / 60 } ?? cluster.restartHours
    return try TrainingPlan(model, training, on: cluster)
  }
}

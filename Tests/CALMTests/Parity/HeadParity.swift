import CALM
import Testing
import Torch

/// The recorded numbers of one kind of generative head, and the samples that other checks use.
protocol HeadParity {
  /// The training loss for the recorded random numbers; its parts are checked too.
  func loss(hidden: Tensor, latent: LatentDistribution) throws -> Tensor
  /// Whatever else was recorded of the head.
  func checkSampling(hidden: Tensor, latent: LatentDistribution) throws
  /// Samples for the recorded noise, two or more: [samples, positions, l].
  func samples(hidden: Tensor) throws -> Tensor
  /// Recorded noise for one sample of each row in the shape that the head takes: [1, rows, …].
  func noise(recorded: Tensor, rows: Int) -> Tensor
}

extension HeadParity {
  func noise(recorded: Tensor, rows: Int) -> Tensor { recorded.reshaped(1, rows, -1) }
}

/// The checks for the head of a model.
func headParity(of model: ContinuousLanguageModel, _ numbers: RecordedNumbers) throws -> any HeadParity {
  try headParity(of: model.latentHead, in: model, numbers)
}

/// The checks for a head; those of the energy head need its model.
func headParity(
  of head: any GenerativeHead, in model: ContinuousLanguageModel?, _ numbers: RecordedNumbers
) throws -> any HeadParity {
  switch head {
  case let head as EnergyHead: EnergyHeadParity(head: head, model: try #require(model), numbers: numbers)
  case let head as DiffusionHead: DiffusionHeadParity(head: head, numbers: numbers)
  case let head as FlowHead: FlowHeadParity(head: head, numbers: numbers)
  default: throw UnknownHead()
  }
}

private struct UnknownHead: Error {}

extension LatentDistribution {
  /// mean + ε·σ for recorded ε, [samples, positions, l]; the mean of a point.
  func samples(noise: Tensor) -> Tensor {
    let point = mean.reshaped([1] + mean.shape)
    return logDeviation.map { point + noise * $0.exp() } ?? point
  }
}

struct EnergyHeadParity: HeadParity {
  let head: EnergyHead
  let model: ContinuousLanguageModel
  let numbers: RecordedNumbers

  func loss(hidden: Tensor, latent: LatentDistribution) throws -> Tensor {
    head.loss(
      hidden: hidden, noise: try numbers.input("head.noise"), targets: try targets(latent))
  }

  func samples(hidden: Tensor) throws -> Tensor { head(hidden, noise: try numbers.input("head.noise")) }

  func checkSampling(hidden: Tensor, latent: LatentDistribution) throws {
    let samples = try withoutGradients { try self.samples(hidden: hidden) }
    try numbers.check("head.samples", samples)
    try checkEnergyScore(of: samples, targets: targets(latent))
    try withoutGradients { try checkMaskedLoss(hidden: hidden) }
  }

  private func targets(_ latent: LatentDistribution) throws -> Tensor {
    latent.samples(noise: try numbers.input("energy.eps"))
  }

  private func checkEnergyScore(of samples: Tensor, targets: Tensor) throws {
    let own = model.configuration.exponent
    // With every sample equal to x_n the loss is twice the mean distance of x_n to the targets.
    let count = samples.shape[0]
    let toTargets = (0..<count).map { index in
      let sample = samples.narrowed(0, index..<index + 1)
      return energyScore(samples: .concatenated([sample, sample]), targets: targets, exponent: own) * 0.5
    }
    let distance = Tensor.stacked(toTargets).mean(0)
    try numbers.check("energy.distance_y", distance)
    try numbers.check(
      "energy.distance_x", distance * 2 - energyScore(samples: samples, targets: targets, exponent: own))

    for name in numbers.names(withPrefix: "energy.loss_beta") {
      let exponent = try #require(Double(name.dropFirst("energy.loss_beta".count)))
      try numbers.check(name, energyScore(samples: samples, targets: targets, exponent: exponent).mean())
    }
    for name in numbers.names(withPrefix: "energy.sample_grad") {
      let exponent = Double(name.dropFirst("energy.sample_grad_beta".count)) ?? own
      let leaf = samples.clone()
      leaf.requiresGradient = true
      energyScore(samples: leaf, targets: targets, exponent: exponent).mean().backward()
      if let gradient = leaf.gradient { try numbers.check(name, gradient) }
    }
  }

  /// The loss with labels of −100 for whole chunks: these positions are omitted, with the random numbers of the first
  /// N′.
  private func checkMaskedLoss(hidden: Tensor) throws {
    guard numbers.has("mask.labels") else { return }
    let k = model.configuration.chunkSize
    let labels = try numbers.input("mask.labels")
    let next = labels.narrowed(1, k..<labels.shape[1]).contiguous().reshaped(-1, k)
    let kept = ContinuousLanguageModel.labelledChunks(next)
    let count = kept.count
    let latent = model.knownAutoencoder.encode(next.gathered(0, kept))
    let loss = head.loss(
      hidden: hidden.gathered(0, kept), noise: try numbers.input("head.noise").narrowed(1, 0..<count).contiguous(),
      targets: latent.samples(noise: try numbers.input("energy.eps").narrowed(1, 0..<count)))
    try numbers.check("mask.loss", loss)
  }
}

struct FlowHeadParity: HeadParity {
  let head: FlowHead
  let numbers: RecordedNumbers

  func loss(hidden: Tensor, latent: LatentDistribution) throws -> Tensor {
    let targets = latent.samples(noise: try numbers.input("flow.eps"))
    try numbers.check("flow.target", targets)
    let times = try numbers.input("flow.t").reshaped(targets.shape[0], -1)
    try numbers.check("flow.train_timesteps", FlowHead.networkTimes(times))
    let rows = head.losses(
      hidden: hidden, targets: targets, times: times,
      start: try numbers.input("flow.x0").reshaped(targets.shape))
    try numbers.check("flow.loss_rows", rows)
    return rows.mean()
  }

  func samples(hidden: Tensor) throws -> Tensor {
    let start = try numbers.input("flow.sample_init")
    return head(hidden, noise: start.reshaped(-1, hidden.shape[0], start.shape[1]))
  }

  func checkSampling(hidden: Tensor, latent: LatentDistribution) throws {
    try numbers.check("flow.sample_result", withoutGradients { try samples(hidden: hidden) })
    let times = FlowHead.solverTimes.flatMap { [Int64($0.start), Int64($0.middle)] }
    try numbers.check("flow.sample_timesteps", Tensor(times))
  }
}

struct DiffusionHeadParity: HeadParity {
  let head: DiffusionHead
  let numbers: RecordedNumbers

  func loss(hidden: Tensor, latent: LatentDistribution) throws -> Tensor {
    let targets = latent.samples(noise: try numbers.input("diff.eps"))
    try numbers.check("diff.target", targets)
    let parts = head.losses(
      hidden: hidden, targets: targets, steps: try numbers.input("diff.t").reshaped(targets.shape[0], -1),
      noise: try numbers.input("diff.noise").reshaped(targets.shape))
    try numbers.check("diff.mse", parts.noise)
    try numbers.check("diff.vb", parts.bound)
    return (parts.noise + parts.bound).mean()
  }

  func samples(hidden: Tensor) throws -> Tensor {
    let start = try bySample("diff.sample_init", hidden)
    return head.denoised(
      start, hidden: hidden, from: DiffusionHead.samplingSchedule.times.count - 1, noise: try stepNoise(start, after: 0)
    )
  }

  func checkSampling(hidden: Tensor, latent: LatentDistribution) throws {
    let sampling = DiffusionHead.samplingSchedule
    try numbers.check("diff.alphas_cumprod", Tensor(DiffusionHead.schedule.cumulative))
    try numbers.check("diff.respaced_betas", Tensor(sampling.betas))
    try numbers.check("diff.timestep_map", Tensor(sampling.times.map(Int64.init)))
    try withoutGradients {
      try numbers.check("diff.sample_result", samples(hidden: hidden))
      let start = try bySample("diff.sample_init", hidden)
      let skipped = 39
      try numbers.check(
        "diff.tail_result",
        head.denoised(
          start, hidden: hidden, from: sampling.times.count - 1 - skipped, noise: stepNoise(start, after: skipped)))
      try checkSingleSteps(hidden)
    }
  }

  /// One step back for every row, each from a step of its own.
  private func checkSingleSteps(_ hidden: Tensor) throws {
    let steps = try numbers.input("diff.step_t")
    let before = head.stepBack(
      from: try bySample("diff.step_x", hidden), steps: steps.reshaped(-1, hidden.shape[0]), hidden: hidden)
    try numbers.check("diff.step_mean", before.mean)
    try numbers.check("diff.step_log_variance", before.logVariance)
    try numbers.check("diff.step_pred_x0", before.latent)
    let isLast = steps.reshaped(-1, hidden.shape[0], 1).equals(0)
    let drawn = before.mean + (before.logVariance * 0.5).exp() * (try bySample("diff.step_noise", hidden))
    try numbers.check("diff.step_sample", drawn.replaced(with: before.mean, where: isLast))
  }

  /// A recorded [samples · positions, l] as [samples, positions, l].
  private func bySample(_ name: String, _ hidden: Tensor) throws -> Tensor {
    let tensor = try numbers.input(name)
    return tensor.reshaped(-1, hidden.shape[0], tensor.shape[1])
  }

  /// The recorded noise of the sampling steps behind the first few, [samples, positions, steps, l].
  private func stepNoise(_ start: Tensor, after skipped: Int) throws -> Tensor {
    let noise = try numbers.input("diff.sample_noise")
    return noise.narrowed(0, skipped..<noise.shape[0]).transposed(0, 1)
      .reshaped(start.shape[0], start.shape[1], -1, start.shape[2])
  }

  /// Recorded as [1, 101, rows, l].
  func noise(recorded: Tensor, rows: Int) -> Tensor { recorded.transposed(1, 2) }
}

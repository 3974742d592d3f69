import Foundation
import Torch

/// A generative head by diffusion: sampling removes noise from a latent in 100 steps (MAR's diffusion loss, Li et al.,
/// 2024).
///
/// The network predicts the noise, and the variance of a step relative to its bounds. Training picks one of 1,000 steps
/// at random for each sample; sampling takes 100 of them.
package final class DiffusionHead: LatentHead {
  package static let architecture = "DiffusionTransformer"
  package static let key = "generative_head"
  /// The process whose steps training picks from.
  package static let schedule = DiffusionSchedule(steps: TimeEmbedding.times)
  /// The process that sampling runs backwards.
  package static let samplingSchedule = schedule.respaced(to: 100)

  @Submodule("net") var network: AdaptiveNetwork
  private let configuration: LanguageModelConfiguration

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    network = AdaptiveNetwork(
      configuration, inputs: configuration.latentSize, outputs: 2 * configuration.latentSize, generator: generator)
  }

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    ("\(key).net.final_layer.linear.weight", [2 * configuration.latentSize, configuration.hiddenSize])
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    AdaptiveNetwork.cost(
      of: configuration, inputs: configuration.latentSize, outputs: 2 * configuration.latentSize,
      evaluations: samplingSchedule.times.count, trainingSamples: configuration.samples)
  }

  // MARK: Sampling

  package var noiseCount: Int { (Self.samplingSchedule.times.count + 1) * configuration.latentSize }

  /// Standard normal numbers, [samples, positions, 101, l]: the start, then the noise that each step adds.
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.normal(
      [samples, positions, Self.samplingSchedule.times.count + 1, configuration.latentSize], along: 1)
  }

  package func callAsFunction(_ hidden: Tensor, noise: Tensor) -> Tensor {
    let steps = Self.samplingSchedule.times.count
    return denoised(
      noise.selected(2, 0), hidden: hidden, from: steps - 1, noise: noise.narrowed(2, 1..<steps + 1))
  }

  /// Takes the last steps of the process backwards.
  ///
  /// - Parameters:
  ///   - x: [samples, positions, l].
  ///   - hidden: [positions, h].
  ///   - first: the step of the sampling process to begin with; it ends with step 0.
  ///   - noise: of each step in the order of use, [samples, positions, first + 1, l]; the last is not used.
  package func denoised(_ x: Tensor, hidden: Tensor, from first: Int, noise: Tensor) -> Tensor {
    let condition = network.embedded(hidden)
    var x = x.to(.float32)
    for (turn, step) in stride(from: first, through: 0, by: -1).enumerated() {
      let before = stepBack(from: x, steps: Tensor([Int64(step)], device: x.device), condition: condition)
      x = before.mean
      if step > 0 { x = x + (before.logVariance * 0.5).exp() * noise.selected(2, turn) }
    }
    return x
  }

  /// One step of the sampling process backwards, as a distribution.
  ///
  /// - Parameters:
  ///   - x: [samples, positions, l], float32.
  ///   - steps: 0 to 99, int64: one for all, [1], or one for each sample, [samples, positions].
  ///   - condition: [positions, h].
  private func stepBack(from x: Tensor, steps: Tensor, condition: Tensor) -> StepBack {
    let times = Tensor(Self.samplingSchedule.times.map(Int64.init), device: x.device)
      .gathered(0, steps.reshaped(-1)).reshaped(steps.shape)
    let output = network(x, times: times, condition: condition).to(.float32).split(2)
    return StepBack(
      from: x, noise: output[0], variance: output[1], bound: configuration.latentBound,
      DiffusionCoefficients(Self.samplingSchedule, at: steps))
  }

  /// The distribution of the latent one step earlier in the sampling process, as mean and log variance, and the
  /// expected latent at the end.
  package func stepBack(
    from x: Tensor, steps: Tensor, hidden: Tensor
  ) -> (mean: Tensor, logVariance: Tensor, latent: Tensor) {
    let step = stepBack(from: x, steps: steps, condition: network.embedded(hidden))
    return (step.mean, step.logVariance, step.latent)
  }

  // MARK: Training

  package func loss(hidden: Tensor, targets: LatentDistribution, generator: Generator) -> Tensor {
    let samples = withoutGradients { targets.samples(configuration.samples, generator: generator) }
    let shape = samples.shape
    let steps = generator.uniform([shape[0], shape[1]], in: 0..<Double(Self.schedule.times.count), along: 1).to(.int64)
    let parts = losses(hidden: hidden, targets: samples, steps: steps, noise: generator.normal(shape, along: 1))
    return (parts.noise + parts.bound).mean()
  }

  /// The parts of the loss for each sample, [samples, positions]: the mean square error of the noise, and the
  /// variational bound in bits a dimension, which trains the variance alone.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - targets: x_0, [samples, positions, l], float32.
  ///   - steps: 0 to 999, [samples, positions], int64.
  ///   - noise: ε, [samples, positions, l].
  package func losses(
    hidden: Tensor, targets: Tensor, steps: Tensor, noise: Tensor
  ) -> (noise: Tensor, bound: Tensor) {
    let at = DiffusionCoefficients(Self.schedule, at: steps)
    let x = targets * at.signal + noise * at.noise
    let output = network(x, times: steps, condition: network.embedded(hidden)).to(.float32).split(2)
    let error = (noise - output[0]).squared().mean(-1)

    let found = StepBack(from: x, noise: output[0].detached(), variance: output[1], bound: nil, at)
    let mean = targets * at.latentWeight + x * at.currentWeight
    let difference = (mean - found.mean).squared() * (-found.logVariance).exp()
    let divergence =
      (found.logVariance - at.smallestLogVariance + (at.smallestLogVariance - found.logVariance).exp() + difference
        - 1) * 0.5
    // The last step back has no target distribution: there the likelihood of the latent itself counts.
    let bound = divergence.replaced(
      with: -found.logLikelihood(of: targets), where: steps.reshaped(steps.shape + [1]).equals(0))
    return (error, bound.mean(-1) / log(2))
  }
}

/// The distribution of a latent one step earlier, from the output of the network.
private struct StepBack {
  let mean: Tensor
  let logVariance: Tensor
  /// The latent at the end of the process, if the noise is as predicted.
  let latent: Tensor

  /// - Parameters:
  ///   - noise: ε as predicted.
  ///   - variance: −1 for the smallest, 1 for the largest.
  ///   - bound: of the latent's entries, if there is one.
  init(from x: Tensor, noise: Tensor, variance: Tensor, bound: Double?, _ at: DiffusionCoefficients) {
    let expected = x * at.inverseSignal - noise * at.noiseRatio
    latent = bound.map { -(-expected.clamped(minimum: -$0)).clamped(minimum: -$0) } ?? expected
    mean = latent * at.latentWeight + x * at.currentWeight
    let share = (variance + 1) * 0.5
    logVariance = share * at.largestLogVariance + (1 - share) * at.smallestLogVariance
  }

  /// The log probability of an interval of width 2/255 around each entry, open-ended beyond ±0.999.
  ///
  /// The interval is that of image pixels, where this loss comes from; the official code keeps it for latents.
  func logLikelihood(of target: Tensor) -> Tensor {
    let centered = target - mean
    let scale = (logVariance * -0.5).exp()
    let above = Self.normalDistribution(scale * (centered + 1.0 / 255))
    let below = Self.normalDistribution(scale * (centered - 1.0 / 255))
    func log(_ probability: Tensor) -> Tensor { probability.clamped(minimum: 1e-12).log() }
    return log(above - below)
      .replaced(with: log(1 - below), where: target.isGreater(than: 0.999))
      .replaced(with: log(above), where: target.isLess(than: -0.999))
  }

  /// The standard normal distribution function, approximated with a hyperbolic tangent.
  private static func normalDistribution(_ x: Tensor) -> Tensor {
    let inner = (x + x.power(3) * 0.044715) * (2 / Double.pi).squareRoot()
    return (inner.tanh() + 1) * 0.5
  }
}

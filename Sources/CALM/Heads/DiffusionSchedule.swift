import Foundation
import Torch

/// The coefficients of a Gaussian diffusion process, step by step (Ho et al., 2020; Nichol and Dhariwal, 2021).
///
/// Step t mixes the latent with noise: x_t = √ᾱ_t·x_0 + √(1 − ᾱ_t)·ε. All coefficients are computed in double precision
/// and rounded once, as in the official code.
package struct DiffusionSchedule {
  /// The steps of the full process that this one takes, ascending.
  package let times: [Int]
  /// β, the variance that each step adds.
  package let betas: [Double]
  /// ᾱ, the fraction of the latent's variance that remains after each step.
  package let cumulative: [Double]

  /// √ᾱ and √(1 − ᾱ).
  let signal, noise: [Double]
  /// 1/√ᾱ and √(1/ᾱ − 1): x_0 = inverseSignal·x_t − noiseRatio·ε.
  let inverseSignal, noiseRatio: [Double]
  /// The mean of x_{t−1} given x_t and x_0 is latentWeight·x_0 + currentWeight·x_t.
  let latentWeight, currentWeight: [Double]
  /// The bounds of the learned log variance of x_{t−1}.
  let smallestLogVariance, largestLogVariance: [Double]

  /// Creates the full cosine schedule.
  package init(steps: Int) {
    func left(_ time: Double) -> Double { pow(cos((time + 0.008) / 1.008 * .pi / 2), 2) }
    let betas = (0..<steps).map { step in
      min(1 - left(Double(step + 1) / Double(steps)) / left(Double(step) / Double(steps)), 0.999)
    }
    self.init(betas: betas, times: Array(0..<steps))
  }

  /// A process with `count` steps, evenly spaced among those of this one, that ends in the same state.
  package func respaced(to count: Int) -> DiffusionSchedule {
    precondition(count >= 2 && count <= betas.count, "\(count) of \(betas.count) steps")
    let stride = Double(betas.count - 1) / Double(count - 1)
    var (taken, position) = ([Int](), 0.0)
    for _ in 0..<count {
      taken.append(Int(position.rounded(.toNearestOrEven)))
      position += stride
    }
    var before = 1.0
    let betas = taken.map { step in
      defer { before = cumulative[step] }
      return 1 - cumulative[step] / before
    }
    return DiffusionSchedule(betas: betas, times: taken)
  }

  private init(betas: [Double], times: [Int]) {
    self.betas = betas
    self.times = times
    var product = 1.0
    let cumulative = betas.map { beta in
      product *= 1 - beta
      return product
    }
    let before = [1] + cumulative.dropLast()
    let variances = betas.indices.map { betas[$0] * (1 - before[$0]) / (1 - cumulative[$0]) }
    self.cumulative = cumulative
    signal = cumulative.map { $0.squareRoot() }
    noise = cumulative.map { (1 - $0).squareRoot() }
    inverseSignal = cumulative.map { (1 / $0).squareRoot() }
    noiseRatio = cumulative.map { (1 / $0 - 1).squareRoot() }
    latentWeight = betas.indices.map { betas[$0] * before[$0].squareRoot() / (1 - cumulative[$0]) }
    currentWeight = betas.indices.map { (1 - before[$0]) * (1 - betas[$0]).squareRoot() / (1 - cumulative[$0]) }
    // The first variance is 0, because the preceding step is x_0 itself; the second variance replaces it.
    smallestLogVariance = betas.indices.map { log(variances[max(1, $0)]) }
    largestLogVariance = betas.map { log($0) }
  }
}

/// The coefficients of a ``DiffusionSchedule`` at given steps, ready to be multiplied with latents.
struct DiffusionCoefficients {
  let signal, noise, inverseSignal, noiseRatio, latentWeight, currentWeight: Tensor
  let smallestLogVariance, largestLogVariance: Tensor

  /// - Parameter steps: indices into the schedule, int64, any shape; the coefficients have one dimension more.
  init(_ schedule: DiffusionSchedule, at steps: Tensor) {
    let (rows, shape) = (steps.reshaped(-1), steps.shape + [1])
    func taken(_ values: [Double]) -> Tensor {
      Tensor(values.map(Float.init), device: steps.device).gathered(0, rows).reshaped(shape)
    }
    signal = taken(schedule.signal)
    noise = taken(schedule.noise)
    inverseSignal = taken(schedule.inverseSignal)
    noiseRatio = taken(schedule.noiseRatio)
    latentWeight = taken(schedule.latentWeight)
    currentWeight = taken(schedule.currentWeight)
    smallestLogVariance = taken(schedule.smallestLogVariance)
    largestLogVariance = taken(schedule.largestLogVariance)
  }
}

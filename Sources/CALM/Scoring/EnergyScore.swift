import Torch

/// The energy score of samples against samples of the truth, at each position (Gneiting and Raftery, 2007; the paper,
/// section 3). Lower is better.
///
///     2/(NM) Σₙₘ ‖xₙ − yₘ‖^β − 1/(N(N−1)) Σₙ≠ₖ ‖xₙ − xₖ‖^β
///
/// For 0 < β < 2 its expectation is minimal only if x and y have the same distribution (the score is strictly proper).
/// At β = 2 it compares only means. One fused kernel computes the score and its gradient.
///
/// - Parameters:
///   - samples: x, of the model: [N, positions, size], N ≥ 2. Only these get a gradient.
///   - targets: y, of the truth: [M, positions, size], float32.
///   - exponent: β.
/// - Returns: [positions], float32.
public func energyScore(samples: Tensor, targets: Tensor, exponent: Double = 1) -> Tensor {
  energyScoreKernel(samples: samples, targets: targets, exponent: exponent)
}

/// The energy score of samples against a diagonal normal distribution, from which the kernel samples M targets per
/// position: yₘ = mean + ε·deviation with standard normal ε. See ``energyScore(samples:targets:exponent:)``.
///
/// - Parameters:
///   - samples: x, of the model: [N, positions, size], N ≥ 2. Only these get a gradient.
///   - targetMean: [positions, size], float32.
///   - targetDeviation: [positions, size], float32.
///   - targetCount: M.
///   - exponent: β.
///   - generator: advances by one number, which determines all ε.
/// - Returns: [positions], float32.
public func energyScore(
  samples: Tensor, targetMean: Tensor, targetDeviation: Tensor, targetCount: Int, exponent: Double = 1,
  generator: Generator
) -> Tensor {
  energyScoreKernel(
    samples: samples, mean: targetMean, deviation: targetDeviation, count: targetCount, exponent: exponent,
    generator: generator)
}

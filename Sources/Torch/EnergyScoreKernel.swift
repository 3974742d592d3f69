import CTorch

// The kernel behind CALM's `energyScore`: CTorch/kernels/energy_score.cpp.

/// 2/(NM) Σ‖xₙ − yₘ‖^β − 1/(N(N−1)) Σ‖xₙ − xₖ‖^β at each position, fused with its gradient.
///
/// - Parameters:
///   - samples: x, [N, positions, size]; N ≥ 2. Gradients flow only to the samples.
///   - targets: y, [M, positions, size], float32.
///   - exponent: β.
/// - Returns: [positions], float32.
package func energyScoreKernel(samples: Tensor, targets: Tensor, exponent: Double) -> Tensor {
  .make { ct_energy_score($0, samples.handle, targets.handle, exponent) }
}

/// The same for M targets that the kernel samples: yₘ = mean + ε·deviation with standard normal ε.
///
/// - Parameters:
///   - samples: x, [N, positions, size]; N ≥ 2. Gradients flow only to the samples.
///   - mean: [positions, size], float32.
///   - deviation: [positions, size], float32.
///   - count: M.
///   - exponent: β.
///   - generator: supplies one number, which determines every ε.
/// - Returns: [positions], float32.
package func energyScoreKernel(
  samples: Tensor, mean: Tensor, deviation: Tensor, count: Int, exponent: Double, generator: Generator
) -> Tensor {
  .make {
    ct_energy_score_of_normal(
      $0, samples.handle, mean.handle, deviation.handle, Int64(count), generator.handle, exponent)
  }
}

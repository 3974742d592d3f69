import Foundation
import Torch

extension PosteriorHead {
  /// The evidence bound, or the mixture bound of a one-step head.
  package func negativeLogLikelihood(
    hidden: Tensor, next: Tensor, vocabulary: Tensor, samples: Int, generator: Generator
  ) -> Tensor {
    let (positions, codeWords) = (hidden.shape[0], codeWords)
    let parts = stride(from: 0, to: positions, by: positionsAtOnce).map { start in
      let range = start..<min(start + positionsAtOnce, positions)
      let context = context(hidden.narrowed(0, range), vocabulary: vocabulary, codeWords: codeWords)
      let next = next.narrowed(0, range).contiguous()
      return configuration.isOneStep
        ? mixtureBound(of: next, context, samples: samples, generator)
        : evidenceBound(of: next, context, samples: samples, generator)
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts)
  }

  /// An unbiased estimate of the evidence bound of −log p(v₁ … v_K | h), the continuous-time bound of diffusion models
  /// (Kingma et al., 2021, "Variational diffusion models"):
  ///
  ///     E[−Σₖ log p(vₖ | x at the end)] + ½ Σₖ ∫ E‖e(vₖ) − ê(x)ₖ‖² dSNRₖ,   SNR = t²/(1 − t)²
  ///
  /// along a path on which the tokens are as far apart in time as in sampling, with ê, the mean embedding under the
  /// posterior. The path begins with pure noise, so the bound has no term for its start. It is tight where the
  /// posterior is exact. The N points of a path are stratified: one in each N-th of it.
  ///
  /// - Parameters:
  ///   - next: [positions, K], int64.
  ///   - samples: N.
  /// - Returns: [positions], float32.
  private func evidenceBound(of next: Tensor, _ context: Context, samples: Int, _ generator: Generator) -> Tensor {
    let positions = next.shape[0]
    let embedded = Torch.embedding(next, weight: context.codeWords)
    let end = parts(embedded.reshaped(1, positions, -1))  // [1, positions, K, d]
    func logits(at t: Tensor) -> Tensor {
      let factor = t.reshaped(t.shape + [1])
      let x = parts(noise(samples: 1, positions: positions, generator: generator)) * (1 - factor) + end * factor
      return self.logits(x.reshaped(1, positions, -1), at: t, context).selected(0, 0)  // [positions·K, V]
    }
    let last = logits(at: path(at: Tensor.ones([1, positions], device: next.device)).times)
    var bound = -TokenDistributions.values(of: logSoftmax(last), at: next.reshaped(-1)).reshaped(next.shape).sum(-1)
    for stratum in 0..<samples {
      let point = path(at: (generator.uniform([1, positions], along: 1) + Double(stratum)) / Double(samples))
      let mean = matmul(softmax(logits(at: point.times)), context.codeWords)  // [positions·K, d]
      let error = (mean.reshaped(end.shape) - end).squared().sum(-1)  // [1, positions, K]
      bound = bound + (error * point.rate).sum(-1).selected(0, 0) * (0.5 / Double(samples))
    }
    return bound
  }

  /// The times of the K tokens at points s in [0, 1] of a path, and the rates dSNR/ds there. Time runs as 1 − (1 − T)^s
  /// to the latest time T: at a constant speed, the last points would have most of the variance.
  ///
  /// - Parameter s: [1, positions].
  /// - Returns: [1, positions, K] each.
  private func path(at s: Tensor) -> (times: Tensor, rate: Tensor) {
    let (k, stagger) = (configuration.chunkSize, configuration.pathStagger)
    let (span, speed) = (1 + stagger * Double(k - 1), -log(1 - EmbeddingPath.latestTime))
    let delays = Tensor((0..<k).map { Float(stagger * Double($0)) }, device: s.device)
    let progress = s.reshaped(s.shape + [1]) * span - delays  // [1, positions, K], from 0 to 1 while a token moves
    let moves = progress.isGreater(than: 0).to(.float32) * progress.isLess(than: 1).to(.float32)
    let times = 1 - ((1 - (1 - progress).clamped(minimum: 0)).clamped(minimum: 0) * -speed).exp()
    let ratio = times / (1 - times)  // of signal to noise; SNR is its square
    return (times, moves * ratio * (ratio + 1) * (2 * speed * span))
  }

  /// The mixture of the token distributions of N samples. A sample takes their most likely tokens; this is the law of a
  /// sampler that samples from them.
  private func mixtureBound(of next: Tensor, _ context: Context, samples: Int, _ generator: Generator) -> Tensor {
    CALM.mixtureBound(
      (0..<samples).map { _ in
        let noise = noise(samples: 1, positions: next.shape[0], generator: generator)
        let logits = oneStepLogits(noise, context).selected(0, 0)  // [positions·K, V]
        return TokenDistributions.values(of: logSoftmax(logits), at: next.reshaped(-1)).reshaped(next.shape).sum(-1)
      })
  }
}

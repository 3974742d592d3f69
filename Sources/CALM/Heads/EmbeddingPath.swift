import Torch

/// The path from normal noise to the embeddings of tokens on which the posterior head samples.
///
/// At time t, a token's part of the path is x = (1 − t)·ε + t·e(v). Given a posterior over tokens, the velocity there is
/// (mean embedding under the posterior − x)/(1 − t).
package struct EmbeddingPath {
  /// The last time in training and sampling. Beyond it, the evidence alone determines the tokens.
  static let latestTime = 0.9

  /// The embeddings e(v), [V, d], float32, each with norm √d.
  package let codeWords: Tensor

  /// - Parameter codeWords: the embeddings e(v), [V, d], float32, each with norm √d.
  package init(codeWords: Tensor) { self.codeWords = codeWords }

  /// The factor of ⟨e(v), x⟩ in the logarithm of the noise's density at times t: t/(1 − t)².
  package static func precision(_ t: Tensor) -> Tensor { t / (1 - t).squared() }

  /// The times of some tokens at a point s in [0, 1] of sampling, float32. With a stagger of 0, all tokens advance
  /// together; with 1, one after the other.
  static func times(at s: Double, tokens: Int, stagger: Double, device: Device) -> Tensor {
    let span = 1 + stagger * Double(tokens - 1)
    let times = (0..<tokens).map { min(1, max(0, s * span - stagger * Double($0))) * latestTime }
    return Tensor(times.map(Float.init), device: device)
  }

  /// Follows paths from noise by the midpoint rule.
  ///
  /// - Parameters:
  ///   - noise: the noise of n tokens, [samples, positions, n·d].
  ///   - steps: the number of steps, each of two evaluations.
  ///   - stagger: see ``times(at:tokens:stagger:device:)``.
  ///   - posterior: returns the logits of the tokens at points x and times t, [n]: [samples, positions·n, V], float32.
  /// - Returns: the logits at the last midpoint, whose most likely tokens are the end of the path.
  package func end(
    from noise: Tensor, steps: Int, stagger: Double = 0, posterior: (_ x: Tensor, _ t: Tensor) -> Tensor
  ) -> Tensor {
    var x = noise.to(.float32)
    let tokens = x.shape[2] / codeWords.shape[1]
    let times = (0...2 * steps).map {
      Self.times(at: Double($0) / Double(2 * steps), tokens: tokens, stagger: stagger, device: x.device)
    }
    for step in 0..<steps {
      let (start, middle, end) = (times[2 * step], times[2 * step + 1], times[2 * step + 2])
      let halfway = moved(x, from: start, to: middle, by: posterior(x, start), at: x, start)
      let logits = posterior(halfway, middle)
      if step == steps - 1 { return logits }
      x = moved(x, from: start, to: end, by: logits, at: halfway, middle)
    }
    preconditionFailure("the solver needs at least one step")
  }

  /// x + (end − start)·(mean of the posterior − y)/(1 − t), given logits of the posterior at a point y at times t.
  private func moved(
    _ x: Tensor, from start: Tensor, to end: Tensor, by logits: Tensor, at y: Tensor, _ t: Tensor
  ) -> Tensor {
    let parts = [x.shape[0], x.shape[1], t.count, codeWords.shape[1]]
    let y = y.reshaped(parts)
    let mean = matmul(softmax(logits), codeWords).reshaped(parts)
    let factor = ((end - start) / (1 - t)).reshaped(-1, 1)  // [n, 1]
    return (x.reshaped(parts) + (mean - y) * factor).reshaped(x.shape)
  }
}

import Torch

/// The path from normal noise to the embeddings of tokens on which the posterior head samples.
///
/// At time t, a token's part of the path is x = (1 − t)·ε + t·e(v). Given a posterior over tokens, the velocity there is
/// (mean embedding under the posterior − x)/(1 − t). The midpoint rule follows it: each step evaluates the posterior at
/// its start and halfway.
package struct EmbeddingPath {
  /// The last time in training and sampling. Beyond it, the evidence alone determines the tokens.
  static let latestTime = 0.9

  /// The times of the tokens at the points where the posterior is evaluated, in their order, then at the end.
  package let times: [[Float]]

  /// - Parameters:
  ///   - tokens: the number of tokens.
  ///   - steps: the number of steps, at least one.
  ///   - stagger: with 0, all tokens advance together; with 1, one after the other.
  package init(tokens: Int, steps: Int, stagger: Double = 0) {
    precondition(steps > 0, "the solver needs at least one step")
    let span = 1 + stagger * Double(tokens - 1)
    times = (0...2 * steps).map { point in
      let progress = Double(point) / Double(2 * steps) * span
      return (0..<tokens).map { Float(min(1, max(0, progress - stagger * Double($0))) * Self.latestTime) }
    }
  }

  /// The number of evaluations of the posterior.
  package var evaluations: Int { times.count - 1 }

  /// The factor of ⟨e(v), x⟩ in the logarithm of the noise's density at times t: t/(1 − t)².
  package static func precision(_ t: Tensor) -> Tensor { t / (1 - t).squared() }

  /// Follows paths from noise to the last point where the posterior is evaluated. Its most likely tokens there are the
  /// end of the path.
  ///
  /// - Parameters:
  ///   - noise: the noise of n tokens, [samples, positions, n·d].
  ///   - mean: returns the mean embeddings of the tokens at points, given the number of the evaluation, in their shape.
  package func lastPoint(from noise: Tensor, mean: (_ x: Tensor, _ evaluation: Int) -> Tensor) -> Tensor {
    var x = noise.to(.float32)
    for start in stride(from: 0, to: evaluations, by: 2) {
      let middle = start + 1
      let halfway = moved(x, from: start, to: middle, by: mean(x, start), at: x, start)
      if middle == evaluations - 1 { return halfway }
      x = moved(x, from: start, to: middle + 1, by: mean(halfway, middle), at: halfway, middle)
    }
    preconditionFailure("the number of evaluations is even")
  }

  /// x + (end − start)·(mean − y)/(1 − t), given the mean at a point y at times t. Times are given by their numbers.
  private func moved(_ x: Tensor, from start: Int, to end: Int, by mean: Tensor, at y: Tensor, _ t: Int) -> Tensor {
    let factors = times[start].indices.map { (times[end][$0] - times[start][$0]) / (1 - times[t][$0]) }
    let parts = [x.shape[0], x.shape[1], factors.count, -1]
    let factor = Tensor(factors, shape: [factors.count, 1], device: x.device)
    return (x.reshaped(parts) + (mean.reshaped(parts) - y.reshaped(parts)) * factor).reshaped(x.shape)
  }
}

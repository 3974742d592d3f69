import CTorch

/// A posterior head that samples in several steps, with the values of some positions: an evaluation is one call.
///
/// It computes in float32. A point's results depend neither on the other points nor on the number of threads, bit for
/// bit. They have no gradient.
package struct FusedPosteriorHead {
  /// What distinguishes the evaluations along a path.
  package struct Evaluation {
    private let modulation: Tensor
    private let precision: Tensor

    /// - Parameters:
    ///   - modulation: the modulations of each position: shift, scale and gate of each block, then shift and scale of
    ///     the output, [positions, (3·blocks + 2)·h].
    ///   - precision: the factor of the evidence of each of the K tokens, [K], float32.
    package init(modulation: Tensor, precision: Tensor) {
      (self.modulation, self.precision) = (modulation.to(.float32).contiguous(), precision.contiguous())
    }

    fileprivate func withHead<Result>(
      _ weights: PosteriorWeights, prior: Tensor, _ body: (UnsafePointer<ct_posterior_head>) -> Result
    ) -> Result {
      withExtendedLifetime(self) {
        weights.withHead(prior: prior, modulation: modulation, precision: precision, body)
      }
    }
  }

  /// Whether it is faster than tensor operations for some rows, one for each token of a point, or keeps them apart.
  /// Products of many rows are as fast in libtorch.
  package static func isFaster(forRows rows: Int) -> Bool { rows <= 64 || isKeepingRowsApart }

  private let weights: PosteriorWeights
  /// The logits of the prior, [positions·K, V], float32.
  private let prior: Tensor
  private let evaluations: [Evaluation]

  /// - Parameters:
  ///   - weights: the weights of the head.
  ///   - prior: the logits of the prior, [positions·K, V], float32.
  ///   - evaluations: those of a path, in their order.
  package init(_ weights: PosteriorWeights, prior: Tensor, evaluations: [Evaluation]) {
    (self.weights, self.prior, self.evaluations) = (weights, prior.contiguous(), evaluations)
  }

  /// The mean embeddings of the tokens under the posterior, in the shape of the points.
  ///
  /// - Parameters:
  ///   - points: [samples, positions, K·d], float32.
  ///   - evaluation: the number of the evaluation.
  package func means(_ points: Tensor, evaluation: Int) -> Tensor {
    let points = points.contiguous()
    return evaluations[evaluation].withHead(weights, prior: prior) { head in
      .make { ct_posterior_means($0, head, points.handle) }
    }
  }

  /// The most likely tokens under the posterior.
  ///
  /// - Parameters:
  ///   - points: [samples, positions, K·d], float32.
  ///   - evaluation: the number of the evaluation.
  /// - Returns: for each point its K tokens; −1 where a logit is not finite.
  package func tokens(_ points: Tensor, evaluation: Int) -> [Int32] {
    let points = points.contiguous()
    let count = prior.shape[0] * points.shape[0]
    return [Int32](unsafeUninitializedCapacity: count) { tokens, initialized in
      evaluations[evaluation].withHead(weights, prior: prior) {
        check(ct_posterior_tokens(tokens.baseAddress, $0, points.handle))
      }
      initialized = count
    }
  }
}

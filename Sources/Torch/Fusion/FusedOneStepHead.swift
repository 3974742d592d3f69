import CTorch

/// A one-step posterior head with the values of some positions, fused into two calls: the beliefs of candidates, and
/// some of their tokens.
///
/// It replaces about seventy operations in generation, and computes only the tokens that are needed. The numbers of a
/// candidate do not depend on the others, bit for bit. The results have no gradient.
package struct FusedOneStepHead {
  private let weights: OneStepWeights
  /// The logits of the prior, [positions·K, V], float32.
  private let prior: Tensor
  /// Shift, scale and gate of each block, then shift and scale of the output: [positions, (3·blocks + 2)·h], float32.
  private let modulation: Tensor

  /// - Parameters:
  ///   - weights: the weights of the head.
  ///   - prior: the logits of the prior, [positions·K, V], float32.
  ///   - modulation: the modulations of each position: shift, scale and gate of each block, then shift and scale of the
  ///     output, [positions, (3·blocks + 2)·h].
  package init(_ weights: OneStepWeights, prior: Tensor, modulation: Tensor) {
    (self.weights, self.prior) = (weights, prior.contiguous())
    self.modulation = modulation.to(.float32).contiguous()
  }

  /// K.
  package var chunkSize: Int { weights.chunkSize }

  /// What the tokens of candidates depend on.
  package struct Beliefs {
    /// In batches, [candidates, K·d], float32.
    fileprivate let noise: [Tensor]
    /// The most likely tokens given prior and noise, [candidates, K].
    fileprivate let tokens: [Int32]
    /// The position of each candidate.
    package let positions: [Int]

    fileprivate init(noise: [Tensor], tokens: [Int32], positions: [Int]) {
      (self.noise, self.tokens, self.positions) = (noise, tokens, positions)
    }

    /// These candidates, then others.
    package func joined(with other: Self) -> Self {
      Self(noise: noise + other.noise, tokens: tokens + other.tokens, positions: positions + other.positions)
    }

    /// The given candidates.
    package func selecting(_ candidates: [Int]) -> Self {
      let chunkSize = tokens.count / positions.count
      return Self(
        noise: [Tensor.concatenated(noise).gathered(0, Tensor(candidates.map(Int64.init)))],
        tokens: candidates.flatMap { tokens[$0 * chunkSize..<($0 + 1) * chunkSize] },
        positions: candidates.map { positions[$0] })
    }
  }

  /// The beliefs of candidates.
  ///
  /// - Parameters:
  ///   - noise: [candidates, K·d], float32.
  ///   - positions: the position of each candidate.
  package func beliefs(_ noise: Tensor, positions: [Int]) -> Beliefs {
    precondition(positions.count == noise.shape[0], "\(noise.shape[0]) candidates, \(positions.count) positions")
    let noise = noise.contiguous()
    let tokens = [Int32](unsafeUninitializedCapacity: positions.count * chunkSize) { tokens, count in
      withHead { check(ct_one_step_beliefs(tokens.baseAddress, $0, noise.handle, positions.map(Int64.init))) }
      count = positions.count * chunkSize
    }
    return Beliefs(noise: [noise], tokens: tokens, positions: positions)
  }

  /// Tokens of candidates.
  ///
  /// - Parameters:
  ///   - beliefs: those of the candidates.
  ///   - places: candidate · K + k for the k-th token of a candidate.
  /// - Returns: the most likely token at each place; −1 where a logit is not finite.
  package func tokens(_ beliefs: Beliefs, at places: [Int]) -> [Int32] {
    let batches = beliefs.noise.map { $0.handle as ct_tensor? }
    return withHead { head in
      [Int32](unsafeUninitializedCapacity: places.count) { tokens, count in
        check(
          ct_one_step_tokens(
            tokens.baseAddress, head, batches, Int32(batches.count), beliefs.tokens, beliefs.positions.map(Int64.init),
            places.map(Int64.init), Int64(places.count)))
        count = places.count
      }
    }
  }

  private func withHead<Result>(_ body: (UnsafePointer<ct_one_step_head>) -> Result) -> Result {
    withExtendedLifetime(self) { weights.withHead(prior: prior, modulation: modulation, body) }
  }
}

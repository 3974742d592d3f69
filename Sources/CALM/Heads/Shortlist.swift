import Foundation
import Torch

/// How a one-step ``TokensHead`` samples the tokens after the first without further products with the vocabulary.
///
/// A tokens head multiplies with the vocabulary K times, one after the other, and for each sample again. Here one
/// product serves all K tokens and all samples of a position. A layer that `calm distill` trains proposes each token
/// from the hidden state alone, with probabilities q. A sample draws from them a shortlist of m tokens, which lie at
/// equal distances on the cumulative sums of q, and chooses one of them with weights p/q, where p are the head's
/// probabilities given the tokens before. This is sampling importance resampling (Rubin, 1987) with systematic draws:
/// the larger m, the closer is its law to the head's.
///
/// Each token still has a probability of its own, m·p(v)·E[1/Σ p/q], with the mean over the shortlists through v.
struct Shortlist {
  /// The logarithms of q for each token after the first, [positions, V] each.
  private let logarithms: [Tensor]
  private let sums: [CumulativeSums]
  private let vocabulary: Tensor
  /// i/m for each i < m.
  private let distances: Tensor

  /// - Parameters:
  ///   - logits: of the proposals, [positions, V] for each token after the first, float32.
  ///   - size: m.
  ///   - vocabulary: the token embeddings, [V, h].
  init(proposing logits: [Tensor], size: Int, vocabulary: Tensor) {
    logarithms = logits.map { logSoftmax($0) }
    sums = logarithms.map { CumulativeSums($0.exp()) }
    self.vocabulary = vocabulary
    distances = Tensor((0..<size).map { Float($0) / Float(size) }, device: vocabulary.device)
  }

  /// The token of samples with index k in the chunk.
  ///
  /// - Parameters:
  ///   - rows: the vectors whose products with the token embeddings are the logits of p, [samples, positions, h].
  ///   - start: a uniform number, which determines the shortlist, [samples, positions].
  ///   - choice: a uniform number, which chooses from it, [samples, positions].
  /// - Returns: [samples, positions], int64.
  /// - Throws: ``GenerationError/notFinite``.
  func token(_ k: Int, rows: Tensor, start: Tensor, choice: Tensor) throws(GenerationError) -> Tensor {
    guard logarithms[k - 1].allFinite() else { throw .notFinite }
    let drawn = drawn(k, start: start)
    let chosen = try TokensHead.token(of: weights(of: drawn, k, rows: rows), at: choice)
    return drawn.elements(at: chosen.reshaped(chosen.shape + [1])).selected(2, 0)
  }

  /// The shortlists of samples: [samples, positions, m], int64.
  ///
  /// - Parameter start: u in [0, 1), [samples, positions]. The tokens lie at (u + i)/m.
  private func drawn(_ k: Int, start: Tensor) -> Tensor {
    let m = distances.count
    let shares = start.reshaped(start.shape + [1]) / Double(m) + distances
    // Rounding may lead to 1, which is beyond the last token.
    return sums[k - 1].indices(at: -(-shares).clamped(minimum: -(1 - 0x1p-24)))
  }

  /// The logarithms of p/q up to a constant of the position, [samples, positions, m].
  private func weights(of tokens: Tensor, _ k: Int, rows: Tensor) -> Tensor {
    linear(rows, weight: vocabulary, at: tokens) - logarithms[k - 1].elements(at: tokens)
  }

  /// An estimate of an upper bound of −log of the probability of true tokens, which the mean over N shortlists through
  /// each of them gives.
  ///
  /// - Parameters:
  ///   - rows: the vectors of the logits of p given the true tokens before, token by token: [K·positions, h].
  ///   - targets: the true tokens, [K·positions], int64.
  ///   - samples: N.
  /// - Returns: in nats per chunk, [positions], float32.
  func negativeLogLikelihood(rows: Tensor, targets: Tensor, samples: Int, generator: Generator) -> Tensor {
    let (positions, m) = (targets.count / (logarithms.count + 1), Double(distances.count))
    let places = Tensor(Array(0..<Int64(distances.count)), device: targets.device)
    let exact = TokenDistributions(rows: rows, weight: vocabulary).logProbabilities(of: targets)
    var bound = -exact.narrowed(0, 0..<positions)  // the first token has no shortlist
    for k in 1..<logarithms.count + 1 {
      let range = k * positions..<(k + 1) * positions
      let (row, target) = (rows.narrowed(0, range), targets.narrowed(0, range).reshaped(-1, 1))
      let known = exact.narrowed(0, range)
      // log Σ exp(logits) of p.
      let normalizer = linear(row, weight: vocabulary, at: target).reshaped(-1) - known
      let (q, sum) = (logarithms[k - 1].elements(at: target).exp(), sums[k - 1].sums.elements(at: target))
      bound =
        bound
        + mixtureBound(
          (0..<samples).map { _ in
            // A random point of the true token's interval, and from it the start of the shortlist through that point.
            let place = (sum - q * generator.uniform([positions, 1])) / sums[k - 1].total * m  // [positions, 1]
            let index = place.to(.int64)
            var tokens = drawn(k, start: (place - index.to(.float32)).reshaped(1, positions))
            // Rounding may lead to a neighbor of a token whose interval is very small.
            tokens = tokens + places.equals(index).to(.int64) * (target - tokens)
            let weights = weights(of: tokens, k, rows: row.reshaped(1, positions, -1)).selected(0, 0)
            return known + normalizer + log(m) - logSumExp(weights, along: 1)
          })
    }
    return bound
  }
}

extension TokensHead {
  /// The shortlists of a one-step head; nil for other heads and for chunks of one token.
  ///
  /// - Parameter hidden: [positions, h].
  func shortlist(_ hidden: Tensor, vocabulary: Tensor) -> Shortlist? {
    proposals.map { layer in
      Shortlist(
        proposing: layer(hidden).split(configuration.chunkSize - 1).map {
          linear($0, weight: vocabulary).to(.float32)
        }, size: configuration.shortlistSize, vocabulary: vocabulary)
    }
  }

  package static let studentParameters = ["proposals."]

  package func trainAsStudent() {
    setTrainable(false)
    proposals?.setTrainable(true)
  }

  /// The cross-entropy of the proposals with the tokens that the teacher samples.
  ///
  /// - Parameter teacher: a tokens head that samples one token after the other.
  package func distillationLoss(
    from teacher: any GenerativeHead, hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    guard let proposals, let teacher = teacher as? TokensHead else {
      preconditionFailure("a one-step head learns from a tokens head")
    }
    let (k, samples) = (configuration.chunkSize, noise.shape[0])
    let tokens = try teacher.tokens(hidden, noise: noise.narrowed(2, 0..<k), vocabulary: vocabulary)
    let targets = tokens.narrowed(2, 1..<k).contiguous().reshaped(-1).to(.int64)
    let rows = proposals(hidden).reshaped(-1, configuration.hiddenSize)  // [positions·(K − 1), h]
    return linearCrossEntropy(
      .concatenated(Array(repeating: rows, count: samples)), weight: vocabulary, targets: targets)
  }
}

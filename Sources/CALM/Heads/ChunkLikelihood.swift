import Foundation
import Torch

/// How the likelihood of a model is computed. A bound is an upper bound of the negative logarithm.
public enum LikelihoodMethod: String, Codable, Sendable {
  /// From the probabilities of the tokens.
  case exact
  /// The evidence bound of a path from noise to the tokens.
  case evidenceBound = "evidence_bound"
  /// The mixture of the token distributions of several samples.
  case mixtureBound = "mixture_bound"
}

extension HeadKind {
  /// How the likelihood of a model with such a head is computed.
  func likelihoodMethod(isOneStep: Bool) -> LikelihoodMethod {
    switch self {
    case .tokens: isOneStep ? .mixtureBound : .exact
    case .posterior: isOneStep ? .mixtureBound : .evidenceBound
    case .energy, .diffusion, .flow: .mixtureBound
    }
  }
}

/// −log((1/N)·Σₙ exp(logProbabilities[n])), which is an upper bound of −log p in expectation (Jensen): it falls to
/// −log p as N grows.
///
/// - Parameter logProbabilities: of chunks, one tensor [positions] for each of the N samples, float32.
/// - Returns: [positions].
func mixtureBound(_ logProbabilities: [Tensor]) -> Tensor {
  log(Double(logProbabilities.count)) - logSumExp(.stacked(logProbabilities), along: 0)
}

/// log Σ exp(xᵢ) along a dimension.
func logSumExp(_ x: Tensor, along dimension: Int) -> Tensor {
  x.selected(dimension, 0) - logSoftmax(x, along: dimension).selected(dimension, 0)
}

extension ContinuousLanguageModel {
  /// The negative logarithm of the probability of each next chunk or an estimate of an upper bound, in nats.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - next: the true chunks, [positions, K], int64.
  ///   - samples: N, the samples per position; an exact likelihood needs none.
  ///   - generator: the source of the samples.
  /// - Returns: [positions], float32.
  package func negativeLogLikelihood(
    _ hidden: Tensor, next: Tensor, samples: Int, generator: Generator
  ) -> Tensor {
    if let head = head as? any TokenHead {
      return head.negativeLogLikelihood(
        hidden: hidden, next: next, vocabulary: backbone.embedding.weight, samples: samples, generator: generator)
    }
    guard let autoencoder else { preconditionFailure("a head of latents has an autoencoder") }
    let targets = next.reshaped(-1)
    let latents = sampleLatents(hidden, count: samples, generator: generator)
    return mixtureBound(
      (0..<samples).map { sample in
        let rows = autoencoder.decoder(latents.selected(0, sample))  // [positions·K, h]
        return TokenDistributions(rows: rows, weight: autoencoder.encoder.embedding.weight)
          .logProbabilities(of: targets).reshaped(next.shape).sum(-1)
      })
  }
}

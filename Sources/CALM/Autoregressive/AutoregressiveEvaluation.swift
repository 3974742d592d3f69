import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// The quality of an autoregressive model on held-out text.
public struct AutoregressiveEvaluation: Codable, Sendable {
  /// BrierLM with its parts and standard errors, defined as for continuous models.
  public let brierLM: BrierLM
  /// The mean cross-entropy per token, in nats.
  public let crossEntropy: Double
  /// exp(cross-entropy).
  public let perplexity: Double
  /// The number of predicted tokens.
  public let tokens: Int
  /// The sequence length in tokens, on which the scores depend.
  public let sequenceTokens: Int
  /// Sampled continuations per position.
  public let samples: Int
  /// The likelihood, if it was computed too.
  public var likelihood: TextLikelihood?
}

extension AutoregressiveModel {
  /// Scores the prediction of every token but the first of each sequence, given the true text before it.
  ///
  /// The probabilities of a text's next four tokens are exact, and so is the probability that two continuations agree
  /// in their first token. Agreement in more tokens is estimated: each sampled continuation x gives the estimate
  /// P(x_1 … x_(n−1))·Σ_y P(y | x_1 … x_(n−1))² of Σ_x P(x_1 … x_n)², which is unbiased and has a smaller variance than
  /// counting agreements.
  ///
  /// - Parameters:
  ///   - text: packed with a chunk size of 1.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - samples: sampled continuations per position, 2 or more.
  ///   - seed: the seed of the continuations.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  ///   - progress: called after each sequence with the number of finished ones.
  /// - Throws: ``EvaluationError``, ``BrierError``, and errors of reading the text.
  public func evaluate(
    on text: PackedSequences, sequences: Int? = nil, samples: Int = 2, seed: UInt64, shard: EvaluationShard = .whole,
    progress: (Int) -> Void = { _ in }
  ) throws -> AutoregressiveEvaluation {
    precondition(text.chunkSize == 1, "an autoregressive model reads single tokens")
    guard text.sequenceTokens > BrierScore.maximumOrder else {
      throw EvaluationError.sequenceTooShort(tokens: text.sequenceTokens, needed: BrierScore.maximumOrder + 1)
    }
    var accumulator = try BrierAccumulator(samplesPerPosition: samples)
    var (crossEntropy, tokens) = (0.0, 0)
    try shard.forEachSequence(of: text, limit: sequences, chunks: 2, seed: seed, progress: progress) { sequence in
      let (ids, count) = (sequence.ids, sequence.ids.count)
      var generator = SeededGenerator(seed: sequence.seed)
      withoutGradients {
        let tensor = Tensor(ids.map(Int64.init), shape: [1, count], device: outputWeight.device)
        crossEntropy += loss(tensor).item() * Double(count - 1)
        tokens += count - 1
        guard count > BrierScore.maximumOrder else { return }
        for (position, score) in brierScores(of: ids, samples: samples, using: &generator).enumerated() {
          accumulator.add(score, document: Int(sequence.documents[position + 1]))
        }
      }
    }
    let sums = try shard.sum([crossEntropy, Double(tokens)])
    let mean = sums[0] / max(1, sums[1])
    return AutoregressiveEvaluation(
      brierLM: try accumulator.merged(over: shard).result(seed: seed), crossEntropy: mean, perplexity: exp(mean),
      tokens: Int(sums[1]), sequenceTokens: text.sequenceTokens, samples: samples)
  }

  /// The Brier scores of the next four tokens, for each token of a text that has four successors.
  ///
  /// - Parameters:
  ///   - ids: five tokens or more.
  ///   - samples: sampled continuations per position.
  package func brierScores(of ids: [Int32], samples: Int, using generator: inout SeededGenerator) -> [BrierScore] {
    let order = BrierScore.maximumOrder
    let positions = ids.count - order
    let device = outputWeight.device
    let context = Backbone.Context(layers: configuration.transformer.layers)
    let read = Tensor(ids.dropLast().map(Int64.init), shape: [1, ids.count - 1], device: device)
    let hidden = hiddenStates(read, context: context).selected(0, 0)
    let truth = nextTokens(hidden, of: ids[1...], using: &generator)
    var scores = (0..<positions).map { position in
      var (score, probability) = (BrierScore(accuracy: .zero, collision: .zero), 1.0)
      for offset in 0..<order {
        probability *= truth.given[position + offset]
        score.accuracy[offset] = probability
      }
      score.collision[0] = truth.agreement[position]
      return score
    }
    let starts = hidden.narrowed(0, 0..<positions)
    for sample in 0..<samples {
      // The token sampled together with the probability of the truth is the first token of the first continuation.
      var next = sample == 0 ? truth : nextTokens(starts, using: &generator)
      var probability = [Double](repeating: 1, count: positions)
      let branches = context.branches(positions, device: device)
      for offset in 1..<order {
        for position in 0..<positions { probability[position] *= next.sampledProbability[position] }
        let sampled = Tensor(next.sampled.prefix(positions).map(Int64.init), shape: [1, positions], device: device)
        next = nextTokens(hiddenStates(sampled, context: branches).selected(0, 0), using: &generator)
        for position in 0..<positions {
          scores[position].collision[offset] += probability[position] * next.agreement[position] / Double(samples)
        }
      }
    }
    return scores
  }
}

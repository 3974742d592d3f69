import CALMCorpus
import CALMSupport
import Foundation
import Torch

/// How well an autoregressive model predicts held-out text.
public struct AutoregressiveEvaluation: Codable, Sendable {
  /// BrierLM with its parts and errors, by the same definition as that of continuous models.
  public let brierLM: BrierLM
  /// The mean over tokens, in nats.
  public let crossEntropy: Double
  /// e to the cross-entropy.
  public let perplexity: Double
  /// Tokens predicted.
  public let tokens: Int
  /// Tokens in a block: a longer context scores higher, so the figure belongs to the score.
  public let sequenceTokens: Int
  /// Continuations drawn a position.
  public let samples: Int
}

extension AutoregressiveModel {
  /// Scores the prediction of every token but each block's first, given the true text before it.
  ///
  /// The probabilities of a text's next four tokens are exact, and so is the probability that two continuations agree
  /// in their first token. That they agree further is estimated: continuations x are drawn, and with
  /// P(x_1 … x_(n−1))·Σ_y P(y | x_1 … x_(n−1))² each gives an estimate of Σ_x P(x_1 … x_n)² that is unbiased and varies
  /// less than counting agreements.
  ///
  /// - Parameters:
  ///   - text: packed with a chunk size of 1.
  ///   - blocks: how many, from the start; nil takes all.
  ///   - samples: continuations drawn a position, 2 or more.
  ///   - seed: of the continuations.
  ///   - share: this process's part, where several share the work; all get the whole figures.
  ///   - progress: told after each block how many are done.
  /// - Throws: ``EvaluationError``, ``BrierError``, and what reading the blocks throws.
  public func evaluate(
    on text: PackedSequences, blocks: Int? = nil, samples: Int = 2, seed: UInt64, share: EvaluationShard = .whole,
    progress: (Int) -> Void = { _ in }
  ) throws -> AutoregressiveEvaluation {
    precondition(text.chunkSize == 1, "an autoregressive model reads single tokens")
    guard text.sequenceTokens > BrierScore.maximumOrder else {
      throw EvaluationError.blockTooShort(tokens: text.sequenceTokens, needed: BrierScore.maximumOrder + 1)
    }
    var accumulator = try BrierAccumulator(samplesPerPosition: samples)
    var (crossEntropy, tokens) = (0.0, 0)
    for index in share.blocks(of: min(blocks ?? text.count, text.count)) {
      let block = try text.block(index)
      let count = block.documents.prefix { $0 != PackedSequences.noDocument }.count
      if count < 2 { continue }
      let ids = Array(block.ids.prefix(count))
      var generator = SeededGenerator(seed: EvaluationShard.seed(seed, block: index))
      withoutGradients {
        let tensor = Tensor(ids.map(Int64.init), shape: [1, count], device: outputWeight.device)
        crossEntropy += loss(tensor).item() * Double(count - 1)
        tokens += count - 1
        guard count > BrierScore.maximumOrder else { return }
        for (position, score) in brierScores(of: ids, samples: samples, using: &generator).enumerated() {
          accumulator.add(score, document: Int(block.documents[position + 1]))
        }
      }
      progress(index + 1)
    }
    let sums = try share.sum([crossEntropy, Double(tokens)])
    let mean = sums[0] / max(1, sums[1])
    return AutoregressiveEvaluation(
      brierLM: try accumulator.merged(over: share).result(seed: seed), crossEntropy: mean, perplexity: exp(mean),
      tokens: Int(sums[1]), sequenceTokens: text.sequenceTokens, samples: samples)
  }

  /// The Brier scores of the four tokens after each token of a text that has four tokens behind it.
  ///
  /// - Parameters:
  ///   - ids: five tokens or more.
  ///   - samples: continuations drawn a position.
  package func brierScores(of ids: [Int32], samples: Int, using generator: inout SeededGenerator) -> [BrierScore] {
    let order = BrierScore.maximumOrder
    let positions = ids.count - order
    let device = outputWeight.device
    let context = Backbone.Context(layers: configuration.transformer.layers)
    let read = Tensor(ids.dropLast().map(Int64.init), shape: [1, ids.count - 1], device: device)
    let hidden = hiddenStates(read, context: context).selected(0, 0)
    let truth = nextTokens(hidden, asking: ids[1...], drawing: &generator)
    var scores = (0..<positions).map { position in
      var (score, probability) = (BrierScore(accuracy: .zero, collision: .zero), 1.0)
      for offset in 0..<order {
        probability *= truth.asked[position + offset]
        score.accuracy[offset] = probability
      }
      score.collision[0] = truth.agreement[position]
      return score
    }
    let starts = hidden.narrowed(0, 0..<positions)
    for sample in 0..<samples {
      // The tokens that came with the truth serve as the first sample's.
      var next = sample == 0 ? truth : nextTokens(starts, drawing: &generator)
      var probability = [Double](repeating: 1, count: positions)
      let branches = context.branches(positions, device: device)
      for offset in 1..<order {
        for position in 0..<positions { probability[position] *= next.drawnProbability[position] }
        let drawn = Tensor(next.drawn.prefix(positions).map(Int64.init), shape: [1, positions], device: device)
        next = nextTokens(hiddenStates(drawn, context: branches).selected(0, 0), drawing: &generator)
        for position in 0..<positions {
          scores[position].collision[offset] += probability[position] * next.agreement[position] / Double(samples)
        }
      }
    }
    return scores
  }
}

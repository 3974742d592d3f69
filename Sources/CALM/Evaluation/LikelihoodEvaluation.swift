import CALMCorpus
import Torch

extension ContinuousLanguageModel {
  /// The negative log-likelihood of every chunk but the first of each sequence, or an upper bound, given the true text
  /// before it.
  ///
  /// - Parameters:
  ///   - text: packed with this model's chunk size.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - samples: the samples per position of a bound, 1 or more; see ``likelihoodMethod``.
  ///   - lengths: the lengths of the tokens; nil for no results per character and byte.
  ///   - seed: the seed of the samples.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  ///   - progress: called after each sequence with the number of finished ones.
  /// - Throws: ``EvaluationError``, and errors of reading the text.
  public func likelihood(
    of text: PackedSequences, sequences: Int? = nil, samples: Int, lengths: TokenLengths? = nil, seed: UInt64,
    shard: EvaluationShard = .whole, progress: (Int) -> Void = { _ in }
  ) throws -> TextLikelihood {
    precondition(samples > 0, "a bound needs a sample per position")
    var accumulator = LikelihoodAccumulator(of: text, lengths: lengths)
    try shard.forEachSequence(of: text, limit: sequences, chunks: 2, seed: seed, progress: progress) { sequence in
      let generator = Generator(seed: sequence.seed, device: backbone.embedding.weight.device)
      let nats = withoutGradients {
        let (hidden, next) = predictions(of: sequence.ids)
        return negativeLogLikelihood(hidden, next: next, samples: samples, generator: generator)
      }
      accumulator.add(nats.elements(as: Double.self), of: sequence)
    }
    return try accumulator.result(
      likelihoodMethod, samples: likelihoodMethod == .exact ? nil : samples, seed: seed, shard: shard)
  }

  /// How the likelihood of this model is computed.
  public var likelihoodMethod: LikelihoodMethod {
    configuration.head.likelihoodMethod(isOneStep: configuration.isOneStep)
  }
}

extension AutoregressiveModel {
  /// The negative log-likelihood of every token but the first of each sequence, given the true text before it.
  ///
  /// - Parameters:
  ///   - text: packed with a chunk size of 1.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - lengths: the lengths of the tokens; nil for no results per character and byte.
  ///   - seed: the seed of the standard errors.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  ///   - progress: called after each sequence with the number of finished ones.
  /// - Throws: ``EvaluationError``, and errors of reading the text.
  public func likelihood(
    of text: PackedSequences, sequences: Int? = nil, lengths: TokenLengths? = nil, seed: UInt64,
    shard: EvaluationShard = .whole, progress: (Int) -> Void = { _ in }
  ) throws -> TextLikelihood {
    precondition(text.chunkSize == 1, "an autoregressive model reads single tokens")
    var accumulator = LikelihoodAccumulator(of: text, lengths: lengths)
    try shard.forEachSequence(of: text, limit: sequences, chunks: 2, seed: seed, progress: progress) { sequence in
      let nats = withoutGradients {
        let ids = Tensor(sequence.ids.map(Int64.init), shape: [1, sequence.ids.count], device: outputWeight.device)
        let hidden = hiddenStates(ids.narrowed(1, 0..<sequence.ids.count - 1)).selected(0, 0)
        return -TokenDistributions(rows: hidden, weight: outputWeight).logProbabilities(
          of: ids.selected(0, 0).narrowed(0, 1..<sequence.ids.count))
      }
      accumulator.add(nats.elements(as: Double.self), of: sequence)
    }
    return try accumulator.result(.exact, samples: nil, seed: seed, shard: shard)
  }
}

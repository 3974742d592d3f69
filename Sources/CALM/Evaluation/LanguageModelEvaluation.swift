import CALMCorpus
import Torch

/// The quality of a continuous language model on held-out text.
public struct LanguageModelEvaluation: Codable, Sendable {
  /// BrierLM with its parts and standard errors.
  public let brierLM: BrierLM
  /// The mean energy score of the samples over positions, for every head that samples latents, whatever its training
  /// loss; nil for a head that samples tokens.
  public let energyScore: Double?
  /// The loss of a head that samples tokens, in nats per token; nil for a head that samples latents. For the tokens head
  /// it is the cross-entropy of the text, for the posterior head that of the posterior at random times.
  public let headLoss: Double?
  /// The sequence length in tokens, on which the scores depend.
  public let sequenceTokens: Int
  /// Samples per position.
  public let samples: Int
}

extension ContinuousLanguageModel {
  /// Scores the prediction of every chunk but the first of each sequence, given the true text before it.
  ///
  /// - Parameters:
  ///   - text: packed with this model's chunk size.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - samples: m ≥ 2, the samples per position for BrierLM.
  ///   - seed: the seed of the samples.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  ///   - progress: called after each sequence with the number of finished ones.
  /// - Throws: ``EvaluationError``, ``BrierError``, ``GenerationError/notFinite`` for a head that samples tokens, and
  ///   errors of reading the text.
  public func evaluate(
    on text: PackedSequences, sequences: Int? = nil, samples: Int = 2, seed: UInt64, shard: EvaluationShard = .whole,
    progress: (Int) -> Void = { _ in }
  ) throws -> LanguageModelEvaluation {
    guard text.sequenceChunks > scoredChunks else {
      throw EvaluationError.sequenceTooShort(
        tokens: text.sequenceTokens, needed: (scoredChunks + 1) * configuration.chunkSize)
    }
    var accumulator = try BrierAccumulator(samplesPerPosition: samples)
    var (energy, loss, predicted) = (0.0, 0.0, 0)
    for index in shard.sequences(of: min(sequences ?? text.count, text.count)) {
      let sequence = try text.sequence(index)
      let chunks = sequence.documents.prefix { $0 != PackedSequences.noDocument }.count
      if chunks <= scoredChunks { continue }
      let generator = Generator(
        seed: EvaluationShard.seed(seed, sequence: index), device: backbone.embedding.weight.device)
      let scores = try withoutGradients {
        try self.scores(of: Array(sequence.ids.prefix(chunks * text.chunkSize)), samples: samples, generator: generator)
      }
      for (position, score) in scores.brier.enumerated() {
        accumulator.add(score, document: Int(sequence.documents[position + 1]))
      }
      energy += scores.energy ?? 0
      loss += scores.headLoss ?? 0
      predicted += chunks - 1
      progress(index + 1)
    }
    let sums = try shard.sum([energy, loss, Double(predicted)])
    return LanguageModelEvaluation(
      brierLM: try accumulator.merged(over: shard).result(seed: seed),
      energyScore: configuration.head.usesAutoencoder ? sums[0] / max(1, sums[2]) : nil,
      headLoss: configuration.head.usesAutoencoder ? nil : sums[1] / max(1, sums[2]),
      sequenceTokens: text.sequenceTokens, samples: samples)
  }

  /// The number of chunks that contain the four scored tokens.
  private var scoredChunks: Int {
    (BrierScore.maximumOrder + configuration.chunkSize - 1) / configuration.chunkSize
  }

  /// The Brier scores of the next four tokens after each chunk of a text, if it has four successors, and the total
  /// energy score and head loss of all chunks but the first.
  ///
  /// If four tokens take several chunks, the accuracy term samples each chunk given the true chunks before it; the
  /// product has the probability of the whole continuation. The collision term needs complete sampled continuations,
  /// which are computed for all positions at once.
  ///
  /// - Parameters:
  ///   - ids: whole chunks.
  ///   - samples: m, the samples per position.
  package func scores(
    of ids: [Int32], samples: Int, generator: Generator
  ) throws(GenerationError) -> (brier: [BrierScore], energy: Double?, headLoss: Double?) {
    let (k, m) = (configuration.chunkSize, samples)
    let all = Tensor(ids.map(Int64.init), shape: [1, ids.count], device: backbone.embedding.weight.device)
    let next = all.narrowed(1, k..<ids.count).contiguous()
    let context = scoredChunks > 1 ? Backbone.Context(layers: configuration.layers) : nil
    let hidden = hiddenStates(all.narrowed(1, 0..<ids.count - k).contiguous(), context: context).selected(0, 0)
    let samples = try chunkSamples(hidden, count: m, generator: generator)
    let energy = samples.latents.map { latents in
      let targets = encoded(next).samples(configuration.targetSamples, generator: generator)
      return energyScore(samples: latents, targets: targets, exponent: configuration.exponent).sum().item()
    }
    let positions = hidden.shape[0]
    let loss =
      configuration.head.usesAutoencoder
      ? nil : headLoss(hidden, next: next, generator: generator).item() * Double(positions)
    let windows = positions - scoredChunks + 1
    let givenTruth = (0..<scoredChunks).map { samples.tokens.narrowed(1, $0..<$0 + windows) }
    let scores = brierScores(of: .concatenated(givenTruth, along: 2), truths: ids[k...])
    guard let context else { return (scores, energy, loss) }
    let continued = try (0..<m).map { (sample) throws(GenerationError) in
      try continuations(
        of: samples.tokens.selected(0, sample).narrowed(0, 0..<windows),
        latents: samples.latents?.selected(0, sample).narrowed(0, 0..<windows),
        context: context.branches(windows, device: hidden.device), generator: generator)
    }
    let agreement = brierScores(of: .stacked(continued), truths: ids[k...])
    return (zip(scores, agreement).map { BrierScore(accuracy: $0.accuracy, collision: $1.collision) }, energy, loss)
  }

  /// Continues the first sampled chunk of each position, chunk by chunk: [windows, K] → [windows, scored chunks · K].
  ///
  /// - Parameter latents: the latents of the first chunks, [windows, l], if the head samples latents.
  private func continuations(
    of first: Tensor, latents: Tensor?, context: Backbone.Context, generator: Generator
  ) throws(GenerationError) -> Tensor {
    var chunks = [first]
    var latents = latents
    while chunks.count < scoredChunks {
      let latest = chunks[chunks.count - 1].to(.int64).reshaped(1, -1)
      let read = latents.map { $0.reshaped([1] + $0.shape) }
      let hidden = hiddenStates(latest, latents: read, context: context).selected(0, 0)
      let samples = try chunkSamples(hidden, count: 1, generator: generator)
      latents = samples.latents?.selected(0, 0)
      chunks.append(samples.tokens.selected(0, 0))
    }
    return .concatenated(chunks, along: 1)
  }

  /// - Parameters:
  ///   - sampled: [m, windows, tokens], int32.
  ///   - truths: the ids, starting with the first window; windows are K apart.
  private func brierScores(of sampled: Tensor, truths: ArraySlice<Int32>) -> [BrierScore] {
    let (windows, tokens) = (sampled.shape[1], sampled.shape[2])
    let samples = sampled.transposed(0, 1).contiguous().elements(as: Int32.self)  // [windows, m, tokens]
    let stride = samples.count / windows
    return samples.withUnsafeBufferPointer { samples in
      truths.withUnsafeBufferPointer { truths in
        (0..<windows).map { window in
          let start = window * configuration.chunkSize
          return BrierScore(
            samples: samples.extracting(window * stride..<(window + 1) * stride), stride: tokens,
            truth: truths.extracting(start..<start + tokens))
        }
      }
    }
  }
}

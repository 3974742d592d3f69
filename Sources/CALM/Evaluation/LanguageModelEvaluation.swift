import CALMCorpus
import Torch

/// How well a continuous language model predicts held-out text.
public struct LanguageModelEvaluation: Codable, Sendable {
  /// BrierLM with its parts and errors.
  public let brierLM: BrierLM
  /// The energy score of the samples, a mean over positions. It exists for every head, whatever its training loss.
  public let energyScore: Double
  /// Tokens in a block: a longer context scores higher, so the figure belongs to the score.
  public let sequenceTokens: Int
  /// Samples drawn a position.
  public let samples: Int
}

extension ContinuousLanguageModel {
  /// Scores the prediction of every chunk but each block's first, given the true text before it.
  ///
  /// - Parameters:
  ///   - text: packed with this model's chunk size.
  ///   - blocks: how many, from the start; nil takes all.
  ///   - samples: m ≥ 2, drawn a position for BrierLM.
  ///   - seed: of the samples.
  ///   - share: this process's part, where several share the work; all get the whole figures.
  ///   - progress: told after each block how many are done.
  /// - Throws: ``EvaluationError``, ``BrierError``, and what reading the blocks throws.
  public func evaluate(
    on text: PackedSequences, blocks: Int? = nil, samples: Int = 2, seed: UInt64, share: EvaluationShard = .whole,
    progress: (Int) -> Void = { _ in }
  ) throws -> LanguageModelEvaluation {
    guard text.sequenceChunks > scoredChunks else {
      throw EvaluationError.blockTooShort(
        tokens: text.sequenceTokens, needed: (scoredChunks + 1) * configuration.chunkSize)
    }
    var accumulator = try BrierAccumulator(samplesPerPosition: samples)
    var (energy, predicted) = (0.0, 0)
    for index in share.blocks(of: min(blocks ?? text.count, text.count)) {
      let block = try text.block(index)
      let chunks = block.documents.prefix { $0 != PackedSequences.noDocument }.count
      if chunks <= scoredChunks { continue }
      let generator = Generator(
        seed: EvaluationShard.seed(seed, block: index), device: backbone.embedding.weight.device)
      let scores = withoutGradients {
        self.scores(of: Array(block.ids.prefix(chunks * text.chunkSize)), samples: samples, generator: generator)
      }
      for (position, score) in scores.brier.enumerated() {
        accumulator.add(score, document: Int(block.documents[position + 1]))
      }
      energy += scores.energy
      predicted += chunks - 1
      progress(index + 1)
    }
    let sums = try share.sum([energy, Double(predicted)])
    return LanguageModelEvaluation(
      brierLM: try accumulator.merged(over: share).result(seed: seed), energyScore: sums[0] / max(1, sums[1]),
      sequenceTokens: text.sequenceTokens, samples: samples)
  }

  /// The chunks that hold the four tokens that are scored.
  private var scoredChunks: Int {
    (BrierScore.maximumOrder + configuration.chunkSize - 1) / configuration.chunkSize
  }

  /// The Brier scores of what follows each chunk of a text, wherever four tokens follow, and the summed energy score of
  /// all chunks but the first.
  ///
  /// Where four tokens take several chunks, a sample's agreement with the truth is that of chunks drawn each given the
  /// true ones before it, which has the probability of the whole. Its agreement with other samples needs continuations
  /// of its own, which roll on from all positions at once.
  ///
  /// - Parameters:
  ///   - ids: whole chunks.
  ///   - samples: m, drawn a position.
  package func scores(
    of ids: [Int32], samples: Int, generator: Generator
  ) -> (brier: [BrierScore], energy: Double) {
    let (k, m) = (configuration.chunkSize, samples)
    let all = Tensor(ids.map(Int64.init), shape: [1, ids.count], device: backbone.embedding.weight.device)
    let next = all.narrowed(1, k..<ids.count).contiguous()
    let context = scoredChunks > 1 ? Backbone.Context(layers: configuration.layers) : nil
    let hidden = hiddenStates(all.narrowed(1, 0..<ids.count - k).contiguous(), context: context).selected(0, 0)
    let latents = sampleLatents(hidden, count: m, generator: generator)
    let targets = autoencoder.encode(next).samples(configuration.targetSamples, generator: generator)
    let energy = energyScore(samples: latents, targets: targets, exponent: configuration.exponent).sum().item()

    let positions = hidden.shape[0]
    let windows = positions - scoredChunks + 1
    let drawn = tokenDecoder.decode(latents.reshaped(m * positions, -1)).to(.int32).reshaped(m, positions, k)
    let givenTruth = (0..<scoredChunks).map { drawn.narrowed(1, $0..<$0 + windows) }
    let scores = brierScores(of: .concatenated(givenTruth, along: 2), truths: ids[k...])
    guard let context else { return (scores, energy) }
    let rolledOn = (0..<m).map { sample in
      continuations(
        of: drawn.selected(0, sample).narrowed(0, 0..<windows),
        latents: latents.selected(0, sample).narrowed(0, 0..<windows),
        context: context.branches(windows, device: hidden.device), generator: generator)
    }
    let agreement = brierScores(of: .stacked(rolledOn), truths: ids[k...])
    return (zip(scores, agreement).map { BrierScore(accuracy: $0.accuracy, collision: $1.collision) }, energy)
  }

  /// What follows the first chunk drawn at each position, chunk by chunk: [windows, K] → [windows, scored chunks · K].
  ///
  /// - Parameter latents: those of the first chunks, [windows, l].
  private func continuations(
    of first: Tensor, latents: Tensor, context: Backbone.Context, generator: Generator
  ) -> Tensor {
    var chunks = [first]
    var latents = latents
    while chunks.count < scoredChunks {
      let latest = chunks[chunks.count - 1].to(.int64).reshaped(1, -1)
      let hidden = hiddenStates(latest, latents: latents.reshaped([1] + latents.shape), context: context).selected(0, 0)
      latents = sampleLatents(hidden, count: 1, generator: generator).selected(0, 0)
      chunks.append(tokenDecoder.decode(latents).to(.int32))
    }
    return .concatenated(chunks, along: 1)
  }

  /// - Parameters:
  ///   - drawn: [m, windows, tokens], int32.
  ///   - truths: the ids from the first window on; windows are K apart.
  private func brierScores(of drawn: Tensor, truths: ArraySlice<Int32>) -> [BrierScore] {
    let (windows, tokens) = (drawn.shape[1], drawn.shape[2])
    let samples = drawn.transposed(0, 1).contiguous().elements(as: Int32.self)  // [windows, m, tokens]
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

import CALMCorpus
import Torch

extension ContinuousLanguageModel {
  /// Measures where the model loses quality, on every chunk but the first of each sequence, given the true text before
  /// it.
  ///
  /// - Parameters:
  ///   - text: packed with this model's chunk size.
  ///   - sequences: the number of sequences, from the start; nil for all.
  ///   - samples: the samples per position, 2 or more.
  ///   - teacher: the model from which this one was distilled; nil for none.
  ///   - seed: the seed of the samples.
  ///   - shard: the part of this process; all processes return the results of the whole evaluation.
  ///   - progress: called after each sequence with the number of finished ones.
  /// - Throws: ``EvaluationError``, ``GenerationError/notFinite``, and errors of reading the text.
  /// - Precondition: ``canAgree(with:)`` holds for the teacher.
  public func diagnostics(
    on text: PackedSequences, sequences: Int? = nil, samples: Int = 2, teacher: ContinuousLanguageModel? = nil,
    seed: UInt64, shard: EvaluationShard = .whole, progress: (Int) -> Void = { _ in }
  ) throws -> LanguageModelDiagnostics {
    let diagnostics = applicableDiagnostics(teacher: teacher)
    var sums = [Double](repeating: 0, count: diagnostics.reduce(1) { $0 + $1.count })
    try shard.forEachSequence(of: text, limit: sequences, chunks: 2, seed: seed, progress: progress) { sequence in
      let generator = Generator(seed: sequence.seed, device: backbone.embedding.weight.device)
      let means = try withoutGradients {
        let (hidden, next) = predictions(of: sequence.ids)
        let positions = DiagnosedPositions(
          hidden: hidden, next: next, samples: try chunkSamples(hidden, count: samples, generator: generator),
          generator: generator)
        return try diagnostics.flatMap { try $0.means(positions) }
      }
      let positions = Double(sequence.documents.count - 1)
      sums = zip(sums, means + [1]).map { $0 + $1 * positions }
    }
    sums = try shard.sum(sums)
    guard let positions = sums.popLast(), positions > 0 else {
      throw EvaluationError.nothingPredicted(tokens: text.sequenceTokens, needed: 2 * configuration.chunkSize)
    }
    var (result, values) = (LanguageModelDiagnostics(), sums.map { $0 / positions }[...])
    for diagnostic in diagnostics {
      diagnostic.store(Array(values.prefix(diagnostic.count)), &result)
      values = values.dropFirst(diagnostic.count)
    }
    return result
  }

  /// Whether the agreement of the samples of both models, given the same noise, can be measured.
  public func canAgree(with other: ContinuousLanguageModel) -> Bool {
    func sizes(_ model: ContinuousLanguageModel) -> [Int] {
      let sizes = model.configuration
      return [sizes.vocabularySize, sizes.chunkSize, sizes.latentSize, sizes.hiddenSize]
    }
    return head is any DistillableHead && configuration.head == other.configuration.head && sizes(self) == sizes(other)
      && head.noiseCount == other.head.noiseCount
  }
}

/// Positions of a text, with samples of the chunks after them.
struct DiagnosedPositions {
  /// [positions, h].
  let hidden: Tensor
  /// The true chunks, [positions, K], int64.
  let next: Tensor
  let samples: ChunkSamples
  let generator: Generator

  /// The values of the next position for each position; those of the first for the last.
  func shifted(_ values: Tensor, along dimension: Int) -> Tensor {
    let ends = [1..<next.shape[0], 0..<1].map { values.narrowed(dimension, $0) }
    return .concatenated(ends, along: dimension)
  }
}

/// Some means over positions, and their place in the result.
struct Diagnostic {
  /// The number of means.
  let count: Int
  let means: (DiagnosedPositions) throws -> [Double]
  let store: ([Double], inout LanguageModelDiagnostics) -> Void
}

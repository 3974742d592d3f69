import TextCorpus
import Torch

/// How well a continuous language model predicts held-out text.
public struct LanguageModelEvaluation: Codable, Sendable {
  /// BrierLM with its parts and errors.
  public let brierLM: BrierLM
  /// The energy loss of the samples, a mean over positions: of every head, whatever it was trained by.
  public let energyLoss: Double
  /// Tokens in a block: a longer context scores higher, so the figure belongs to the score.
  public let blockTokens: Int
  /// Samples drawn a position.
  public let samples: Int
}

/// Text or a model that BrierLM cannot be computed from.
public enum EvaluationError: Error, Equatable, CustomStringConvertible {
  case chunkTooShort(Int)
  case blockTooShort(Int)

  public var description: String {
    switch self {
    case .chunkTooShort(let size):
      "BrierLM looks at 4 tokens, and a chunk of this model has \(size): only models with K of 4 or more can be evaluated"
    case .blockTooShort(let chunks):
      "a block of \(chunks) chunks predicts nothing: evaluate with 2 chunks or more"
    }
  }
}

extension ContinuousLanguageModel {
  /// Scores the prediction of every chunk but each block's first, given the true text before it.
  ///
  /// - Parameters:
  ///   - text: packed with this model's chunk size.
  ///   - blocks: how many, from the start; nil takes all.
  ///   - samples: m ≥ 2, drawn a position for BrierLM.
  ///   - seed: of the samples.
  ///   - progress: told after each block how many are done.
  /// - Throws: ``EvaluationError``, ``BrierError``, and what reading the blocks throws.
  public func evaluate(
    on text: PackedBlocks, blocks: Int? = nil, samples: Int = 2, seed: UInt64, progress: (Int) -> Void = { _ in }
  ) throws -> LanguageModelEvaluation {
    guard configuration.chunkSize >= BrierScore.maximumOrder else {
      throw EvaluationError.chunkTooShort(configuration.chunkSize)
    }
    guard text.blockChunks >= 2 else { throw EvaluationError.blockTooShort(text.blockChunks) }
    let device = backbone.embedding.weight.device
    let generator = Generator(seed: seed, device: device)
    var accumulator = try BrierAccumulator(samplesPerPosition: samples)
    var energy = 0.0
    for index in 0..<min(blocks ?? text.count, text.count) {
      let block = try text.block(index)
      let chunks = block.documents.prefix { $0 != PackedBlocks.noDocument }.count
      if chunks < 2 { continue }
      let drawn = withoutGradients {
        predictions(of: Array(block.ids.prefix(chunks * text.chunkSize)), samples: samples, generator: generator)
      }
      accumulator.add(
        contentsOf: drawn.samples, truths: drawn.truths, documents: block.documents[1..<chunks].map(Int.init),
        length: configuration.chunkSize)
      energy += drawn.energy
      progress(index + 1)
    }
    let brierLM = try accumulator.result(seed: seed)
    return LanguageModelEvaluation(
      brierLM: brierLM, energyLoss: energy / Double(max(1, brierLM.positions)), blockTokens: text.blockTokens,
      samples: samples)
  }

  /// Samples of every chunk of a block but the first, [positions, m, K], the true ones, and the summed energy loss.
  private func predictions(
    of ids: [Int32], samples: Int, generator: Generator
  ) -> (samples: [Int32], truths: [Int32], energy: Double) {
    let k = configuration.chunkSize
    let all = Tensor(ids.map(Int64.init), shape: [1, ids.count], device: backbone.embedding.weight.device)
    let next = all.narrowed(1, k..<ids.count).contiguous()
    let hidden = hiddenStates(all.narrowed(1, 0..<ids.count - k)).reshaped(-1, configuration.hiddenSize)
    let positions = hidden.shape[0]
    let latents = sampleLatents(hidden, count: samples, generator: generator)
    let targets = autoencoder.encode(next).samples(configuration.targetSamples, generator: generator)
    let energy = energyDistance(samples: latents, targets: targets, exponent: configuration.exponent).sum().item()
    let chunks = autoencoder.decode(latents.transposed(0, 1).reshaped(positions * samples, -1))
    return (chunks.to(.int32).elements(), Array(ids[k...]), energy)
  }
}

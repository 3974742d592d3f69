import Foundation

/// The BrierLM of a model: the quality of its samples, measured without likelihoods.
///
/// Brier-n is the mean Brier score of the next n tokens over all positions (`BrierScore`), and
///
///     BrierLM = 100 · (Brier-1 · Brier-2 · Brier-3 · Brier-4)^¼,   0 unless all four are positive.
///
/// A perfect predictor of a deterministic text scores 100. The score depends on the context of the positions, so only
/// scores at the same sequence length are comparable.
///
/// `estimate` scores any model that can be sampled, for example one behind a network. To score one position at a time,
/// or to merge the results of several processes, use `BrierAccumulator`, on which `estimate` is built.
///
/// ```swift
/// let positions = windows.map { BrierPosition(truth: $0.next, document: $0.document) }
/// let result = try BrierLM.estimate(positions: positions, samplesPerPosition: 4) { context, count in
///   try (0..<count).map { _ in try model.continuation(of: windows[context].text, tokens: 4) }
/// }
/// print(result.score, "±", result.scoreStandardError ?? .nan)
/// ```
public struct BrierLM: Hashable, Codable, Sendable {
  /// Brier-1 to Brier-4.
  public let brier: [Double]

  /// The standard error of each Brier-n, from resampling documents; nil with fewer than two documents.
  public let brierStandardError: [Double]?

  /// BrierLM, from 0 to 100.
  public let score: Double

  /// The standard error of `score`, from resampling documents; nil with fewer than two documents.
  ///
  /// It is 0 if no resampling has a positive score, as for an untrained model.
  public let scoreStandardError: Double?

  /// The frequency with which a sample agrees with the truth in the first 1 … 4 tokens.
  public let accuracy: [Double]

  /// The frequency with which two samples agree in the first 1 … 4 tokens. Diverse samples have low values.
  public let collision: [Double]

  /// The number of scored positions.
  public let positions: Int

  /// The number of documents that contain them.
  public let documents: Int

  /// The BrierLM of four mean Brier scores.
  ///
  /// A model that repeats itself has four negative Brier scores, whose product is positive. It scores 0, like every
  /// model with a Brier-n that is not positive.
  public static func score(ofBrier brier: SIMD4<Double>) -> Double {
    guard brier.min() > 0 else { return 0 }
    return 100 * pow(brier[0] * brier[1] * brier[2] * brier[3], 0.25)
  }

  /// Scores any model, given a closure that samples continuations.
  ///
  /// The memory is proportional to the number of documents, not of positions.
  ///
  /// - Parameters:
  ///   - positions: the true continuations, each with its document.
  ///   - samplesPerPosition: m ≥ 2. More samples reduce the variance, at the cost of time.
  ///   - bootstrap: computes the standard errors.
  ///   - seed: the seed of the bootstrap.
  ///   - sample: returns `count` independent continuations of 4 or more tokens for the position with the index
  ///     `context` in `positions`.
  /// - Throws: `BrierError`, or the errors of `sample`.
  public static func estimate<Token: Equatable>(
    positions: some Sequence<BrierPosition<Token>>,
    samplesPerPosition: Int = 2,
    bootstrap: ClusterBootstrap = ClusterBootstrap(),
    seed: UInt64 = 0,
    sampling sample: (_ context: Int, _ count: Int) throws -> [[Token]]
  ) throws -> BrierLM {
    var accumulator = try BrierAccumulator(samplesPerPosition: samplesPerPosition)
    for (context, position) in positions.enumerated() {
      guard position.truth.count >= BrierScore.maximumOrder else {
        throw BrierError.shortTruth(context: context, count: position.truth.count)
      }
      let samples = try sample(context, samplesPerPosition)
      guard samples.count == samplesPerPosition else {
        throw BrierError.wrongSampleCount(context: context, expected: samplesPerPosition, got: samples.count)
      }
      if let short = samples.first(where: { $0.count < BrierScore.maximumOrder }) {
        throw BrierError.shortContinuation(context: context, count: short.count)
      }
      accumulator.add(samples: samples, truth: position.truth, document: position.document)
    }
    return try accumulator.result(bootstrap: bootstrap, seed: seed)
  }
}

/// A position in a text at which a model is scored.
public struct BrierPosition<Token: Equatable> {
  /// The continuation in the data, at least 4 tokens.
  public let truth: [Token]

  /// The document that contains it: positions of the same document are not independent.
  public let document: Int

  /// - Parameters:
  ///   - truth: the continuation in the data, at least 4 tokens.
  ///   - document: the document that contains it.
  public init(truth: [Token], document: Int) {
    self.truth = truth
    self.document = document
  }
}

extension BrierPosition: Sendable where Token: Sendable {}

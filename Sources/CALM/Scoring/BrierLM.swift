import Foundation

/// The BrierLM of a model: the quality of its samples as language, measured without likelihoods.
///
/// Brier-n is the mean over positions of the Brier score of the next n tokens (`BrierScore`), and
///
///     BrierLM = 100 · (Brier-1 · Brier-2 · Brier-3 · Brier-4)^¼,   0 unless all four are positive.
///
/// The score of a perfect predictor of a deterministic text is 100. It depends on how much context the positions have,
/// so that scores compare only at equal block sizes.
///
/// Any model that can be sampled can be scored, also one that is behind a network or in another language:
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

  /// BrierLM, 0 to 100.
  public let score: Double

  /// The standard error of `score`, from resampling documents; nil with fewer than two documents.
  ///
  /// It is 0 where no resampling gave a positive score, as with a model that has learnt nothing yet.
  public let scoreStandardError: Double?

  /// How often a sample agrees with the truth in the first 1 … 4 tokens.
  public let accuracy: [Double]

  /// How often two samples agree in the first 1 … 4 tokens: the less, the more diverse.
  public let collision: [Double]

  /// How many positions were scored.
  public let positions: Int

  /// How many documents they lie in.
  public let documents: Int

  /// BrierLM of four mean Brier scores.
  ///
  /// A model that repeats itself has four negative ones, whose product would be positive: it scores 0 like every model
  /// with a Brier-n that is not positive.
  public static func score(ofBrier brier: SIMD4<Double>) -> Double {
    guard brier.min() > 0 else { return 0 }
    return 100 * pow(brier[0] * brier[1] * brier[2] * brier[3], 0.25)
  }

  /// Scores any model by a closure that draws continuations.
  ///
  /// Memory grows with the documents, not with the positions.
  ///
  /// - Parameters:
  ///   - positions: the truths, and the document that each belongs to.
  ///   - samplesPerPosition: m ≥ 2; more samples cost time and lessen the variance.
  ///   - bootstrap: how the standard errors are found.
  ///   - seed: of the bootstrap's randomness.
  ///   - draw: draws independent continuations of 4 or more tokens: given the index of the position in `positions`
  ///     and how many are wanted.
  /// - Throws: `BrierError`, or what `draw` throws.
  public static func estimate<Token: Equatable>(
    positions: some Sequence<BrierPosition<Token>>,
    samplesPerPosition: Int = 2,
    bootstrap: ClusterBootstrap = ClusterBootstrap(),
    seed: UInt64 = 0,
    drawing draw: (_ context: Int, _ count: Int) throws -> [[Token]]
  ) throws -> BrierLM {
    var accumulator = try BrierAccumulator(samplesPerPosition: samplesPerPosition)
    for (context, position) in positions.enumerated() {
      guard position.truth.count >= BrierScore.maximumOrder else {
        throw BrierError.shortTruth(context: context, count: position.truth.count)
      }
      let samples = try draw(context, samplesPerPosition)
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

/// A place in a text at which a model is scored.
public struct BrierPosition<Token: Equatable> {
  /// The continuation in the data, at least 4 tokens.
  public let truth: [Token]

  /// Which document it lies in: positions of one document are not independent.
  public let document: Int

  /// - Parameters:
  ///   - truth: the continuation in the data, at least 4 tokens.
  ///   - document: which document it lies in.
  public init(truth: [Token], document: Int) {
    self.truth = truth
    self.document = document
  }
}

extension BrierPosition: Sendable where Token: Sendable {}

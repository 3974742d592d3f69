import CALMSupport

/// An error of computing Brier scores.
public enum BrierError: DescribedError, Equatable {
  /// Fewer samples per position than the collision term needs.
  case tooFewSamples(Int)

  /// There is no position to score.
  case noPositions

  /// A truth that is shorter than the longest n-gram scored.
  case shortTruth(context: Int, count: Int)

  /// A sampler returned a different number of continuations than requested.
  case wrongSampleCount(context: Int, expected: Int, got: Int)

  /// A sampler returned a continuation that is shorter than the longest n-gram scored.
  case shortContinuation(context: Int, count: Int)

  /// One line: what is wrong and what to do.
  public var description: String {
    let order = BrierScore.maximumOrder
    return switch self {
    case .tooFewSamples(let count):
      "BrierLM needs at least 2 samples per position, got \(count)"
    case .noPositions:
      "there is no position to score: no document has a context with \(order) tokens after it; use longer documents"
    case .shortTruth(let context, let count):
      "the truth of context \(context) has \(count) tokens, but \(order) are scored: omit the context"
    case .wrongSampleCount(let context, let expected, let got):
      "the sampler returned \(got) continuations of context \(context) instead of \(expected)"
    case .shortContinuation(let context, let count):
      "the sampler returned a continuation of context \(context) with \(count) tokens, but \(order) are scored"
    }
  }
}

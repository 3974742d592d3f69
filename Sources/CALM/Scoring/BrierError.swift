import CALMSupport

/// Why a Brier score cannot be computed.
public enum BrierError: DescribedError, Equatable {
  /// Fewer samples a position than the collision term needs.
  case tooFewSamples(Int)

  /// There was no position to score.
  case noPositions

  /// A truth that is shorter than the longest n-gram scored.
  case shortTruth(context: Int, count: Int)

  /// A sampler gave another number of continuations than it was asked for.
  case wrongSampleCount(context: Int, expected: Int, got: Int)

  /// A sampler gave a continuation that is shorter than the longest n-gram scored.
  case shortContinuation(context: Int, count: Int)

  /// One line: what is wrong and what to do.
  public var description: String {
    let order = BrierScore.maximumOrder
    return switch self {
    case .tooFewSamples(let count):
      "BrierLM needs at least 2 samples a position, got \(count)"
    case .noPositions:
      "there is no position to score: every document is shorter than a context and \(order) tokens"
    case .shortTruth(let context, let count):
      "the truth of context \(context) has \(count) tokens, but \(order) are scored: leave the context out"
    case .wrongSampleCount(let context, let expected, let got):
      "the sampler gave \(got) continuations of context \(context) instead of \(expected)"
    case .shortContinuation(let context, let count):
      "the sampler gave a continuation of context \(context) with \(count) tokens, but \(order) are scored"
    }
  }
}

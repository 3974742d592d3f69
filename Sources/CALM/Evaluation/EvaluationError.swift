import CALMSupport

/// Text that BrierLM cannot be computed from.
public enum EvaluationError: DescribedError, Equatable {
  /// No position of a block has the tokens behind it that are looked at.
  case blockTooShort(tokens: Int, needed: Int)

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .blockTooShort(let tokens, let needed):
      "a block of \(tokens) tokens predicts nothing that BrierLM could look at: take blocks of \(needed) tokens or more"
    }
  }
}

import CALMSupport

/// Text for which BrierLM cannot be computed.
public enum EvaluationError: DescribedError, Equatable {
  /// No position of a sequence has the next tokens that BrierLM compares.
  case sequenceTooShort(tokens: Int, needed: Int)

  /// One line: what is wrong and, if there is a remedy, what to do.
  public var description: String {
    switch self {
    case .sequenceTooShort(let tokens, let needed):
      "a sequence of \(tokens) tokens is too short for BrierLM: use a sequence length of at least \(needed) tokens"
    }
  }
}

import CALMSupport

/// Text on which a language model cannot be evaluated.
public enum EvaluationError: DescribedError, Equatable {
  /// No position of a sequence has the next tokens that BrierLM compares.
  case sequenceTooShort(tokens: Int, needed: Int)

  /// No sequence has a chunk or token that is predicted from the text before it.
  case nothingPredicted(tokens: Int, needed: Int)

  /// One line: what is wrong and, if there is a remedy, what to do.
  public var description: String {
    switch self {
    case .sequenceTooShort(let tokens, let needed):
      "a sequence of \(tokens) tokens is too short for BrierLM: use a sequence length of at least \(needed) tokens"
    case .nothingPredicted(let tokens, let needed):
      "there is nothing to predict in sequences of \(tokens) tokens: use longer text, and a sequence length of at least \(needed) tokens"
    }
  }
}

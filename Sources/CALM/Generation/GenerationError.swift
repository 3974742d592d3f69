import CALMSupport

/// Why text cannot be generated.
public enum GenerationError: DescribedError, Equatable {
  /// An option that must be at least 1.
  case tooSmall(String, value: Int)
  /// The probability of the likeliest tokens must be above 0 and at most 1.
  case topPOutOfRange(Double)
  /// Top-k and top-p choose among probabilities, which continuous models do not have.
  case noLogits
  /// The exact sampler was asked for where the temperature is exact anyway.
  case needlessSampler
  /// The prompt fills no chunk, and the model has no token from which a start chunk could be made.
  case promptTooShort(tokens: Int, chunkSize: Int)
  /// The prompt holds an id that the model does not know.
  case idOutsideVocabulary(id: Int, position: Int, vocabularySize: Int)
  /// Too few chunks begin with the tokens that the prompt leaves over for the exact sampler to accept one.
  case beginningTooRare(tokens: Int, matches: Int, draws: Int)
  /// The model computed a NaN or an infinite number.
  case notFinite
  /// The model generated an id of its vocabulary that the tokenizer does not have.
  case idWithoutText(id: Int, tokens: Int)

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .tooSmall(let name, let value):
      "the \(name) must be at least 1, got \(value)"
    case .topPOutOfRange(let value):
      "top-p must be above 0 and at most 1, got \(value)"
    case .noLogits:
      "top-k and top-p need probabilities, which a continuous model does not have: use a temperature"
    case .needlessSampler:
      "an autoregressive model has probabilities, so its temperature is exact: leave the sampler out"
    case .promptTooShort(let tokens, let chunkSize):
      "the prompt has \(tokens) tokens and the model no end token to start a document with: "
        + "give a prompt of at least \(chunkSize) tokens"
    case .idOutsideVocabulary(let id, let position, let vocabularySize):
      "token \(position + 1) of the prompt has id \(id), but the model's vocabulary ends at \(vocabularySize - 1): "
        + "use the tokenizer it was trained with"
    case .beginningTooRare(let tokens, let matches, let draws):
      "only \(matches) of \(draws) chunks began with the prompt's last \(tokens) tokens, too few to sample exactly: "
        + "raise the limit on draws, or use batch sampling"
    case .notFinite:
      "the model computed a number that is not finite (NaN or infinite): its weights are damaged, or too large for the "
        + "precision; try another checkpoint, or float32"
    case .idWithoutText(let id, let tokens):
      "the model generated the id \(id), but the tokenizer ends at \(tokens - 1): use the tokenizer it was trained with"
    }
  }
}

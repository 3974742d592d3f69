import CALMSupport

/// An error of text generation.
public enum GenerationError: DescribedError, Equatable {
  /// An option that must be at least 1.
  case tooSmall(String, value: Int)
  /// Top-p is outside (0, 1].
  case topPOutOfRange(Double)
  /// Top-k or top-p with a sampler that uses no probabilities.
  case noLogits
  /// A sampler that the model does not support.
  case unsupportedSampler(GenerationOptions.Sampler, supported: [GenerationOptions.Sampler])
  /// The prompt is shorter than a chunk, and the model has no end token to precede it.
  case promptTooShort(tokens: Int, chunkSize: Int)
  /// The prompt contains an id outside the model's vocabulary.
  case idOutsideVocabulary(id: Int, position: Int, vocabularySize: Int)
  /// Too few samples begin with the prompt's last tokens for the exact sampler to accept one.
  case beginningTooRare(tokens: Int, matches: Int, samples: Int)
  /// The model computed NaN or infinity.
  case notFinite
  /// The model generated an id of its vocabulary that the tokenizer does not have.
  case idWithoutText(id: Int, tokens: Int)

  /// One line: what is wrong and, if there is a remedy, what to do.
  public var description: String {
    switch self {
    case .tooSmall(let name, let value):
      "the \(name) must be at least 1, got \(value)"
    case .topPOutOfRange(let value):
      "top-p must be above 0 and at most 1, got \(value)"
    case .noLogits:
      "top-k and top-p need the sampler 'logits', for an autoregressive Transformer or a tokens head: use a temperature"
    case .unsupportedSampler(let sampler, let supported):
      "this model cannot be sampled with the sampler '\(sampler.rawValue)', only with "
        + supported.map { "'\($0.rawValue)'" }.joined(separator: ", ")
    case .promptTooShort(let tokens, let chunkSize):
      "the prompt has \(tokens) tokens, and the model has no end token to start a document: "
        + "use a prompt of at least \(chunkSize) tokens"
    case .idOutsideVocabulary(let id, let position, let vocabularySize):
      "token \(position + 1) of the prompt has id \(id), but the model's vocabulary ends at \(vocabularySize - 1): "
        + "use the model's own tokenizer"
    case .beginningTooRare(let tokens, let matches, let samples):
      "only \(matches) of \(samples) sampled chunks begin with the prompt's last \(tokens) tokens, too few for exact "
        + "sampling: raise the maximum number of samples, or use the batch sampler"
    case .notFinite:
      "the model computed a number that is not finite (NaN or infinite): its weights are corrupt, or too large for the "
        + "precision; use another checkpoint, or float32"
    case .idWithoutText(let id, let tokens):
      "the model generated the id \(id), but the tokenizer has only \(tokens) ids: use the model's own tokenizer"
    }
  }
}

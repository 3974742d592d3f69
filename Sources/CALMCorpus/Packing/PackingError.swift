import CALMSupport

/// Why token shards cannot be packed or batched.
public enum PackingError: DescribedError, Equatable, Sendable {
  /// No shard, or no document in any.
  case noDocuments
  /// More documents than a batch can number.
  case tooManyDocuments(Int)
  /// Fewer tokens than one block takes, end-of-text and padding included.
  case tooSmall(tokens: Int, needed: Int)
  /// Shards whose ids belong to different tokenizers.
  case tokenizerMismatch(path: String, other: String)
  /// A weight that is not a positive number.
  case invalidWeight(corpus: Int, weight: String)
  /// A batch that cannot be shared out evenly.
  case unevenBatch(batchSize: Int, worldSize: Int)
  /// A saved position that does not belong to these corpora.
  case foreignPosition(reason: String)

  /// One line: what does not fit, what to do.
  public var description: String {
    switch self {
    case .noDocuments:
      "the data holds no document; prepare more text"
    case .tooManyDocuments(let count):
      "the data holds \(count) documents, more than the \(Int32.max) that can be numbered; use fewer shards at a time"
    case .tooSmall(let tokens, let needed):
      "the data is too small: \(tokens) tokens, padding included, and one block takes \(needed); "
        + "prepare more text or train with shorter blocks"
    case .tokenizerMismatch(let path, let other):
      "\(path): made with another tokenizer than \(other); prepare both with the same one"
    case .invalidWeight(let corpus, let weight):
      "corpus \(corpus): the weight \(weight) is not a positive number"
    case .unevenBatch(let batchSize, let worldSize):
      "a batch of \(batchSize) blocks cannot be shared out to \(worldSize) processes; use a multiple of \(worldSize)"
    case .foreignPosition(let reason):
      "the saved position in the data does not fit: \(reason); resume with the data the run began with"
    }
  }
}

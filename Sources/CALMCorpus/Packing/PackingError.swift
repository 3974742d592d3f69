import CALMSupport

/// An error in packing or batching token shards.
public enum PackingError: DescribedError, Equatable, Sendable {
  /// There are no shards, or the shards have no documents.
  case noDocuments
  /// There are more documents than an `Int32` can number.
  case tooManyDocuments(Int)
  /// The text has fewer tokens than one sequence, including end-of-text ids and padding.
  case tooSmall(tokens: Int, needed: Int)
  /// Two shards have different tokenizers.
  case tokenizerMismatch(path: String, other: String)
  /// A weight is not a positive finite number.
  case invalidWeight(corpus: Int, weight: String)
  /// The batch size is not a multiple of the number of processes.
  case unevenBatch(batchSize: Int, worldSize: Int)
  /// A saved position does not belong to these corpora.
  case foreignPosition(reason: String)

  /// One line: what is wrong and what to do.
  public var description: String {
    switch self {
    case .noDocuments:
      "the data has no documents; prepare more text"
    case .tooManyDocuments(let count):
      "the data has \(count) documents, more than the maximum of \(Int32.max); use fewer shards at a time"
    case .tooSmall(let tokens, let needed):
      "the data is too small: \(tokens) tokens, including padding, but one sequence takes \(needed); "
        + "prepare more text or use shorter sequences"
    case .tokenizerMismatch(let path, let other):
      "\(path): prepared with a different tokenizer than \(other); prepare both with the same tokenizer"
    case .invalidWeight(let corpus, let weight):
      "corpus \(corpus): the weight \(weight) is not a positive number; use a positive weight"
    case .unevenBatch(let batchSize, let worldSize):
      "a batch of \(batchSize) sequences cannot be divided among \(worldSize) processes; "
        + "use a multiple of \(worldSize)"
    case .foreignPosition(let reason):
      "the saved position does not match the data: \(reason); resume with the data that the run started with"
    }
  }
}

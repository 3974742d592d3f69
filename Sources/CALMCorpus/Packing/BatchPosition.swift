/// The position in each corpus, from which a stream of batches can resume.
///
/// Positions count sequences, so they do not depend on the batch size or the number of processes.
public struct BatchPosition: Codable, Equatable, Sendable {
  /// The position in one corpus.
  public struct Corpus: Codable, Equatable, Sendable {
    /// The number of completed epochs.
    public var epoch: Int
    /// The number of sequences taken in the current epoch.
    public var index: Int
    /// The number of sequences in the corpus.
    public var sequences: Int

    private enum CodingKeys: String, CodingKey {
      case epoch, index
      // The name in checkpoints.
      case sequences = "blocks"
    }

    /// Creates a position in a corpus of `sequences` sequences.
    public init(epoch: Int, index: Int, sequences: Int) {
      self.epoch = epoch
      self.index = index
      self.sequences = sequences
    }
  }

  /// One position for each corpus, in order.
  public var corpora: [Corpus]

  /// The number of sequences taken so far, over all corpora.
  public var sequencesTaken: Int { corpora.reduce(0) { $0 + $1.epoch * $1.sequences + $1.index } }

  /// Creates a position from those in each corpus.
  public init(corpora: [Corpus]) {
    self.corpora = corpora
  }
}

/// How far each corpus has been drawn from: all that resuming a stream of batches needs.
///
/// It counts blocks, so it does not depend on the batch size or on how many processes share a batch.
public struct BatchPosition: Codable, Equatable, Sendable {
  /// The place in one corpus.
  public struct Corpus: Codable, Equatable, Sendable {
    /// How often the corpus has been gone through.
    public var epoch: Int
    /// How many blocks of this epoch have been drawn.
    public var index: Int
    /// How many blocks the corpus has.
    public var blocks: Int

    /// A place in a corpus of `blocks` blocks.
    public init(epoch: Int, index: Int, blocks: Int) {
      self.epoch = epoch
      self.index = index
      self.blocks = blocks
    }
  }

  /// One place for each corpus, in order.
  public var corpora: [Corpus]

  /// Blocks drawn so far of all corpora together.
  public var drawn: Int { corpora.reduce(0) { $0 + $1.epoch * $1.blocks + $1.index } }

  /// A position from its places.
  public init(corpora: [Corpus]) {
    self.corpora = corpora
  }
}

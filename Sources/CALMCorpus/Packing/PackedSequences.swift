import CALMSupport

/// Blocks of equal length cut from documents laid end to end, each document padded to whole chunks.
///
/// A document becomes its tokens, the end-of-text id, then padding up to a multiple of the chunk size K; so a chunk
/// never holds two documents. The documents of all shards follow one another and are cut into blocks of `sequenceChunks` ·
/// K ids. Nothing is written or kept for that: the same shards serve every K, any block can be read at any time, and
/// memory is one number for every 64 documents. Safe to read from several threads.
public struct PackedSequences: Sendable {
  /// What becomes of the last, incomplete block.
  public enum Remainder: Sendable {
    /// It is left out, as training wants it.
    case dropped
    /// It is filled up with padding, so that evaluation sees every token.
    case padded
  }

  /// Stands for "no document" where a chunk is nothing but filling of the last block.
  public static let noDocument: Int32 = -1

  /// The shards, in order.
  public let shards: [TokenShard]
  /// Tokens of a chunk, K.
  public let chunkSize: Int
  /// Chunks of a block.
  public let sequenceChunks: Int
  /// The id that ends each document.
  public let endOfText: Int32
  /// The id that fills the last chunk of a document.
  public let padding: Int32
  /// Documents of all shards together.
  public let documentCount: Int
  /// Chunks of all documents together.
  public let chunkCount: Int
  /// How many blocks there are.
  public let count: Int

  /// Whether some documents begin with prompts.
  public let hasPrompts: Bool

  /// Ids of a block.
  public var sequenceTokens: Int { sequenceChunks * chunkSize }

  /// Tells these shards, in this order, from others of as many blocks.
  public var digest: UInt64 { shards.reduce(0) { StableHash.combine($0, UInt64($1.checksum)) } }

  /// The number of each shard's first document.
  private let firstDocuments: [Int]
  /// The number of the first chunk of every 64th document.
  private let samples: [Int]
  private static let stride = 64

  /// Lays out `shards`.
  ///
  /// - Parameters:
  ///   - chunkSize: Tokens of a chunk, K.
  ///   - sequenceChunks: Chunks of a block.
  ///   - padding: The id that fills up chunks; the end-of-text id when nil.
  ///   - remainder: What becomes of the last, incomplete block.
  /// - Throws: ``PackingError`` when there is too little for one block or the shards are of different tokenizers.
  public init(
    shards: [TokenShard], chunkSize: Int, sequenceChunks: Int, padding: Int32? = nil, remainder: Remainder = .dropped
  ) throws {
    precondition(chunkSize > 0 && sequenceChunks > 0, "PackedSequences: chunkSize and sequenceChunks must be positive")
    guard let first = shards.first else { throw PackingError.noDocuments }
    if let other = shards.first(where: { $0.vocabulary != first.vocabulary }) {
      throw PackingError.tokenizerMismatch(path: other.path, other: first.path)
    }
    var firstDocuments: [Int] = []
    var samples: [Int] = []
    var documents = 0
    var chunks = 0
    for shard in shards {
      firstDocuments.append(documents)
      for document in 0..<shard.documentCount {
        if documents % Self.stride == 0 { samples.append(chunks) }
        chunks += Self.chunks(of: shard.range(ofDocument: document).count, chunkSize: chunkSize)
        documents += 1
      }
    }
    if documents > Int(Int32.max) { throw PackingError.tooManyDocuments(documents) }
    self.shards = shards
    hasPrompts = shards.contains { $0.hasPrompts }
    self.chunkSize = chunkSize
    self.sequenceChunks = sequenceChunks
    endOfText = first.vocabulary.endOfText
    self.padding = padding ?? endOfText
    documentCount = documents
    chunkCount = chunks
    self.firstDocuments = firstDocuments
    self.samples = samples
    if documents == 0 { throw PackingError.noDocuments }
    switch remainder {
    case .dropped: count = chunks / sequenceChunks
    case .padded: count = (chunks + sequenceChunks - 1) / sequenceChunks
    }
    if count == 0 { throw PackingError.tooSmall(tokens: chunks * chunkSize, needed: sequenceChunks * chunkSize) }
  }

  /// Block `index`.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` when a shard changed since it was written.
  public func block(_ index: Int) throws -> TokenSequence {
    var block = TokenSequence(
      ids: [Int32](repeating: padding, count: sequenceTokens),
      documents: [Int32](repeating: Self.noDocument, count: sequenceChunks),
      targets: hasPrompts ? [Bool](repeating: false, count: sequenceChunks) : nil)
    try block.ids.withUnsafeMutableBufferPointer { ids in
      try block.documents.withUnsafeMutableBufferPointer { documents in
        try copyBlock(index, ids: ids, documents: documents)
      }
    }
    block.targets?.withUnsafeMutableBufferPointer { markTargets(ofBlock: index, in: $0) }
    return block
  }

  /// Writes block `index` into buffers of ``sequenceTokens`` ids and ``sequenceChunks`` document numbers.
  func copyBlock(
    _ index: Int, ids: UnsafeMutableBufferPointer<Int32>, documents: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(index >= 0 && index < count, "PackedSequences: block \(index) of \(count)")
    precondition(
      ids.count == sequenceTokens && documents.count == sequenceChunks, "PackedSequences: buffers of the wrong size")
    ids.update(repeating: padding)
    documents.update(repeating: Self.noDocument)
    let firstChunk = index * sequenceChunks
    var place = locate(chunk: firstChunk)
    var chunk = 0
    while chunk < sequenceChunks, let range = place.skipToDocument(shards) {
      let inDocument = firstChunk + chunk - place.firstChunk
      let documentChunks = Self.chunks(of: range.count, chunkSize: chunkSize)
      let taken = min(documentChunks - inDocument, sequenceChunks - chunk)
      let target = UnsafeMutableBufferPointer(rebasing: ids[chunk * chunkSize..<(chunk + taken) * chunkSize])
      try copy(range, of: shards[place.shard], from: inDocument * chunkSize, to: target)
      let number = Int32(firstDocuments[place.shard] + place.document)
      for row in chunk..<chunk + taken { documents[row] = number }
      chunk += taken
      place.advance(chunks: documentChunks)
    }
  }

  /// Writes which chunks of block `index` are to be predicted: all but those that lie in a prompt as a whole. A chunk
  /// in which a completion begins is one, with the prompt's last tokens in it: a latent is of a whole chunk, and
  /// generation too draws that chunk whole, given its first tokens.
  func markTargets(ofBlock index: Int, in targets: UnsafeMutableBufferPointer<Bool>) {
    precondition(targets.count == sequenceChunks, "PackedSequences: a buffer of the wrong size")
    targets.update(repeating: false)
    let firstChunk = index * sequenceChunks
    var place = locate(chunk: firstChunk)
    var chunk = 0
    while chunk < sequenceChunks, let range = place.skipToDocument(shards) {
      let inDocument = firstChunk + chunk - place.firstChunk
      let documentChunks = Self.chunks(of: range.count, chunkSize: chunkSize)
      let taken = min(documentChunks - inDocument, sequenceChunks - chunk)
      let prompt = shards[place.shard].promptLength(ofDocument: place.document)
      for offset in 0..<taken { targets[chunk + offset] = (inDocument + offset + 1) * chunkSize > prompt }
      chunk += taken
      place.advance(chunks: documentChunks)
    }
  }

  /// Copies `target.count` ids of a document's padded form, from position `start` on, to a target filled with padding.
  private func copy(
    _ range: Range<Int>, of shard: TokenShard, from start: Int, to target: UnsafeMutableBufferPointer<Int32>
  ) throws {
    let tokens = max(0, min(range.count - start, target.count))
    if tokens > 0 {
      let from = range.lowerBound + start
      try shard.copyTokens(from..<from + tokens, to: target)
    }
    // The last chunk always begins at or before the end of the tokens, so what follows them is the end of text.
    if tokens < target.count { target[tokens] = endOfText }
  }

  /// The document that chunk `chunk` lies in: a binary search among the samples, then at most 63 steps.
  private func locate(chunk: Int) -> Place {
    let sample = Self.lastIndex(in: samples, notAbove: chunk)
    let document = sample * Self.stride
    let shard = Self.lastIndex(in: firstDocuments, notAbove: document)
    var place = Place(shard: shard, document: document - firstDocuments[shard], firstChunk: samples[sample])
    while let range = place.skipToDocument(shards) {
      let chunks = Self.chunks(of: range.count, chunkSize: chunkSize)
      if place.firstChunk + chunks > chunk { break }
      place.advance(chunks: chunks)
    }
    return place
  }

  /// The last index whose value is at most `value`, in an ascending array that begins with one.
  private static func lastIndex(in values: [Int], notAbove value: Int) -> Int {
    var low = 0
    var high = values.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if values[middle] <= value { low = middle } else { high = middle }
    }
    return low
  }

  /// Chunks of a document of `tokens` tokens and one end-of-text id: ⌈(tokens + 1) / K⌉.
  private static func chunks(of tokens: Int, chunkSize: Int) -> Int { tokens / chunkSize + 1 }
}

/// One block of packed documents.
public struct TokenSequence: Sendable, Equatable {
  /// Token ids, chunk after chunk.
  public var ids: [Int32]
  /// For each chunk the number of the document it belongs to, or ``PackedSequences/noDocument``.
  public var documents: [Int32]
  /// For each chunk whether it is to be predicted; nil where documents have no prompts, and all are.
  public var targets: [Bool]?
}

/// A document among those of several shards, and the number of its first chunk.
private struct Place {
  var shard: Int
  var document: Int
  var firstChunk: Int

  /// The document's tokens in its shard, after passing over the ends of shards; nil behind the last document.
  mutating func skipToDocument(_ shards: [TokenShard]) -> Range<Int>? {
    while shard < shards.count {
      if document < shards[shard].documentCount { return shards[shard].range(ofDocument: document) }
      shard += 1
      document = 0
    }
    return nil
  }

  mutating func advance(chunks: Int) {
    document += 1
    firstChunk += chunks
  }
}

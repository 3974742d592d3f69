import CALMSupport

/// Documents packed into sequences of equal length, each document padded to whole chunks.
///
/// A document becomes its tokens, the end-of-text id, and padding up to a multiple of the chunk size K, so a chunk
/// never spans two documents. The documents of all shards follow one another and are cut into sequences of
/// `sequenceChunks` · K ids. Packing happens on access: the same shards support every K, sequences can be read in any
/// order, and the index takes one number per 64 documents. Several threads may read at once.
public struct PackedSequences: Sendable {
  /// The treatment of the last, incomplete sequence.
  public enum Remainder: Sendable {
    /// Dropped, as is usual in training.
    case dropped
    /// Padded, so that an evaluation covers every token.
    case padded
  }

  /// The document number of chunks that only pad the last sequence.
  public static let noDocument: Int32 = -1

  /// The shards, in order.
  public let shards: [TokenShard]
  /// Tokens in a chunk, K.
  public let chunkSize: Int
  /// Chunks in a sequence.
  public let sequenceChunks: Int
  /// The id that ends each document.
  public let endOfText: Int32
  /// The id that fills the last chunk of a document.
  public let padding: Int32
  /// The number of documents in all shards.
  public let documentCount: Int
  /// The number of chunks in all documents.
  public let chunkCount: Int
  /// The number of sequences.
  public let count: Int

  /// Whether any documents begin with prompts.
  public let hasPrompts: Bool

  /// Tokens in a sequence.
  public var sequenceTokens: Int { sequenceChunks * chunkSize }

  /// A hash of the shards' contents in order, which distinguishes data sets of the same size.
  public var digest: UInt64 { shards.reduce(0) { StableHash.combine($0, UInt64($1.checksum)) } }

  /// The number of each shard's first document.
  private let firstDocuments: [Int]
  /// The number of the first chunk of every 64th document.
  private let landmarks: [Int]
  private static let stride = 64

  /// Packs `shards`.
  ///
  /// - Parameters:
  ///   - chunkSize: Tokens in a chunk, K.
  ///   - sequenceChunks: Chunks in a sequence.
  ///   - padding: The padding id; nil pads with the end-of-text id.
  ///   - remainder: The treatment of the last, incomplete sequence.
  /// - Throws: ``PackingError`` if the text is too short for one sequence or the shards have different tokenizers.
  public init(
    shards: [TokenShard], chunkSize: Int, sequenceChunks: Int, padding: Int32? = nil, remainder: Remainder = .dropped
  ) throws {
    precondition(chunkSize > 0 && sequenceChunks > 0, "PackedSequences: chunkSize and sequenceChunks must be positive")
    guard let first = shards.first else { throw PackingError.noDocuments }
    if let other = shards.first(where: { $0.vocabulary != first.vocabulary }) {
      throw PackingError.tokenizerMismatch(path: other.path, other: first.path)
    }
    var firstDocuments: [Int] = []
    var landmarks: [Int] = []
    var documents = 0
    var chunks = 0
    for shard in shards {
      firstDocuments.append(documents)
      for document in 0..<shard.documentCount {
        if documents % Self.stride == 0 { landmarks.append(chunks) }
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
    self.landmarks = landmarks
    if documents == 0 { throw PackingError.noDocuments }
    switch remainder {
    case .dropped: count = chunks / sequenceChunks
    case .padded: count = (chunks + sequenceChunks - 1) / sequenceChunks
    }
    if count == 0 { throw PackingError.tooSmall(tokens: chunks * chunkSize, needed: sequenceChunks * chunkSize) }
  }

  /// Reads sequence `index`.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` if a shard has changed since it was written.
  public func sequence(_ index: Int) throws -> TokenSequence {
    var sequence = TokenSequence(
      ids: [Int32](repeating: padding, count: sequenceTokens),
      documents: [Int32](repeating: Self.noDocument, count: sequenceChunks),
      targets: hasPrompts ? [Bool](repeating: false, count: sequenceChunks) : nil)
    try sequence.ids.withUnsafeMutableBufferPointer { ids in
      try sequence.documents.withUnsafeMutableBufferPointer { documents in
        try copySequence(index, ids: ids, documents: documents)
      }
    }
    sequence.targets?.withUnsafeMutableBufferPointer { markTargets(ofSequence: index, in: $0) }
    return sequence
  }

  /// Copies sequence `index` into buffers of ``sequenceTokens`` ids and ``sequenceChunks`` document numbers.
  func copySequence(
    _ index: Int, ids: UnsafeMutableBufferPointer<Int32>, documents: UnsafeMutableBufferPointer<Int32>
  ) throws {
    precondition(index >= 0 && index < count, "PackedSequences: sequence \(index) of \(count)")
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

  /// Marks the chunks of sequence `index` that are prediction targets: all except those that lie entirely in a prompt.
  /// A chunk in which a completion begins is a target, including the last tokens of the prompt: a latent represents a
  /// whole chunk, and generation also samples that whole chunk given its first tokens.
  func markTargets(ofSequence index: Int, in targets: UnsafeMutableBufferPointer<Bool>) {
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

  /// Copies `target.count` ids of a padded document, starting at `start`, to a buffer that is filled with padding.
  private func copy(
    _ range: Range<Int>, of shard: TokenShard, from start: Int, to target: UnsafeMutableBufferPointer<Int32>
  ) throws {
    let tokens = max(0, min(range.count - start, target.count))
    if tokens > 0 {
      let from = range.lowerBound + start
      try shard.copyTokens(from..<from + tokens, to: target)
    }
    // The last chunk begins at or before the end of the tokens, so the end-of-text id always follows them.
    if tokens < target.count { target[tokens] = endOfText }
  }

  /// Finds the document of chunk `chunk`: a binary search in the landmarks, then at most 63 steps.
  private func locate(chunk: Int) -> Place {
    let landmark = Self.lastIndex(in: landmarks, notAbove: chunk)
    let document = landmark * Self.stride
    let shard = Self.lastIndex(in: firstDocuments, notAbove: document)
    var place = Place(shard: shard, document: document - firstDocuments[shard], firstChunk: landmarks[landmark])
    while let range = place.skipToDocument(shards) {
      let chunks = Self.chunks(of: range.count, chunkSize: chunkSize)
      if place.firstChunk + chunks > chunk { break }
      place.advance(chunks: chunks)
    }
    return place
  }

  /// The last index whose value is at most `value`. The array is ascending and its first value is at most `value`.
  private static func lastIndex(in values: [Int], notAbove value: Int) -> Int {
    var low = 0
    var high = values.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if values[middle] <= value { low = middle } else { high = middle }
    }
    return low
  }

  /// The number of chunks of a document with `tokens` tokens and one end-of-text id: ⌈(tokens + 1) / K⌉.
  private static func chunks(of tokens: Int, chunkSize: Int) -> Int { tokens / chunkSize + 1 }
}

/// A sequence of packed documents.
public struct TokenSequence: Sendable, Equatable {
  /// Token ids, chunk by chunk.
  public var ids: [Int32]
  /// The number of each chunk's document, or ``PackedSequences/noDocument``.
  public var documents: [Int32]
  /// Whether each chunk is a prediction target; nil if there are no prompts, so that all chunks are targets.
  public var targets: [Bool]?
}

/// A document in a list of shards, and the number of its first chunk.
private struct Place {
  var shard: Int
  var document: Int
  var firstChunk: Int

  /// The range of the document's tokens in its shard, after moving to the next shard at the end of one; nil after the
  /// last document.
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

/// Learns a byte-level BPE vocabulary from documents.
///
///     var trainer = try BPETrainer(vocabularySize: 4096)
///     for document in documents { trainer.add(document) }
///     let tokenizer = try trainer.train()
///
/// The ids are, in this order: the special tokens, the 256 bytes in the order of `tokenizer.json` vocabularies, and the
/// merged tokens in the order in which they were learned. The padding token has id 0 by default because token masking
/// in autoencoder training uses id 0. The result does not depend on the order of the documents.
public struct BPETrainer {
  /// `<pad>`, `<bos>` and `<eos>`.
  public static let defaultSpecialTokens = ["<pad>", "<bos>", "<eos>"]

  private let vocabularySize: Int
  private let minimumFrequency: Int
  private let splitPattern: SplitPattern
  private let specialTokens: [String]
  private var counter = PieceCounter()

  /// - Parameters:
  ///   - vocabularySize: The target number of tokens, including the 256 bytes and the special tokens.
  ///   - minimumFrequency: The minimum number of occurrences of a pair that becomes a token. If too few pairs reach it,
  ///     the vocabulary is smaller than the target.
  ///   - splitPattern: The pattern that splits documents before merging.
  ///   - specialTokens: The texts of the special tokens in the order of their ids. In documents they are ordinary text.
  /// - Throws: ``TokenizerError/vocabularyTooSmall(size:minimum:)`` or
  ///   ``TokenizerError/invalidSpecialTokens(reason:)``.
  public init(
    vocabularySize: Int, minimumFrequency: Int = 2, splitPattern: SplitPattern = .gpt2,
    specialTokens: [String] = BPETrainer.defaultSpecialTokens
  ) throws {
    let minimum = 256 + specialTokens.count
    guard vocabularySize >= minimum else {
      throw TokenizerError.vocabularyTooSmall(size: vocabularySize, minimum: minimum)
    }
    guard Set(specialTokens.map { Array($0.utf8) }).count == specialTokens.count else {
      throw TokenizerError.invalidSpecialTokens(reason: "a special token occurs twice")
    }
    if let token = specialTokens.first(where: { $0.isEmpty || ByteLevelAlphabet.decode($0)?.count == 1 }) {
      throw TokenizerError.invalidSpecialTokens(reason: "\(quoted(token)) is empty or represents a single byte")
    }
    self.vocabularySize = vocabularySize
    self.minimumFrequency = minimumFrequency
    self.splitPattern = splitPattern
    self.specialTokens = specialTokens
  }

  /// Counts the words of a document. No token crosses a document boundary.
  public mutating func add(_ document: some StringProtocol) {
    add(bytes: document.utf8)
  }

  /// Counts the words of a document given as UTF-8.
  public mutating func add(bytes: some Collection<UInt8>) {
    let isDone: Void? = bytes.withContiguousStorageIfAvailable { count($0) }
    if isDone == nil { ContiguousArray(bytes).withUnsafeBufferPointer { count($0) } }
  }

  /// Trains a tokenizer on the documents added so far.
  ///
  /// - Throws: ``TokenizerError/nothingToTrainOn`` if the documents contain no text.
  public func train() throws -> Tokenizer {
    guard !counter.entries.isEmpty else { throw TokenizerError.nothingToTrainOn }
    var vocabulary = Vocabulary()
    var addedTokens: [AddedToken] = []
    for content in specialTokens {
      addedTokens.append(AddedToken(id: Int32(vocabulary.count), content: content, isSpecial: true))
      _ = vocabulary.append(Array(content.utf8), isEncodable: false)
    }
    var byteTokens = ContiguousArray<Int32>(repeating: 0, count: 256)
    for byte in ByteLevelAlphabet.bytesInOrder {
      byteTokens[Int(byte)] = Int32(vocabulary.count)
      _ = vocabulary.append(CollectionOfOne(byte), isEncodable: true)
    }
    var learner = try MergeLearner(counter, byteTokens: byteTokens)
    let merges = learner.learn(
      into: &vocabulary, size: vocabularySize, minimumFrequency: minimumFrequency,
      reserved: Set(specialTokens.compactMap { ByteLevelAlphabet.decode($0) }))
    return Tokenizer(
      TokenizerContent(
        vocabulary: vocabulary, merges: merges, byteTokens: byteTokens, addedTokens: addedTokens,
        splitPattern: splitPattern))
  }

  private mutating func count(_ bytes: UnsafeBufferPointer<UInt8>) {
    switch splitPattern {
    case .gpt2: count(GPT2Splitter.self, bytes)
    case .llama3: count(Llama3Splitter.self, bytes)
    case .wholeText: count(WholeTextSplitter.self, bytes)
    }
  }

  private mutating func count<Pattern: Splitter>(_: Pattern.Type, _ bytes: UnsafeBufferPointer<UInt8>) {
    guard let base = bytes.baseAddress else { return }
    let text = ClassifiedText(base, end: bytes.count)
    var start = 0
    while start < text.end {
      let end = Pattern.endOfPiece(at: start, in: text)
      counter.add(UnsafeBufferPointer(rebasing: bytes[start..<end]))
      start = end
    }
  }
}

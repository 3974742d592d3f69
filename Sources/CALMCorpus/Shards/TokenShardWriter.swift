import CALMSupport

/// Writes a token shard, document by document.
///
/// ``finish()`` creates the file atomically; a writer that is released before leaves no file. Memory use is one
/// checksum block and eight bytes per document.
public final class TokenShardWriter {
  /// The vocabulary of the token ids.
  public let vocabulary: TokenVocabulary
  /// The number of tokens appended so far.
  public private(set) var tokenCount = 0
  /// The number of documents appended so far.
  public var documentCount: Int { offsets.count - 1 }

  private let file: AtomicFile
  private let idWidth: Int
  private var offsets: [UInt64] = [0]
  /// The prompt lengths; nil in a shard without prompts.
  private var prompts: [UInt32]?
  private var checksums: [UInt8] = []
  /// The part of the payload that is not yet written, at most one checksum block.
  private var pending: [UInt8] = []

  /// Starts writing a shard at `path`, whose name conventionally ends in `.calmtokens`.
  ///
  /// - Parameter hasPrompts: Whether documents begin with prompts.
  public init(path: String, vocabulary: TokenVocabulary, hasPrompts: Bool = false) throws {
    let hashLength = vocabulary.tokenizerHash.utf8.count
    guard hashLength <= TokenShardHeader.hashLimit else {
      throw TokenShardError.tokenizerHashTooLong(path: path, length: hashLength, limit: TokenShardHeader.hashLimit)
    }
    self.vocabulary = vocabulary
    prompts = hasPrompts ? [] : nil
    idWidth = TokenShardHeader.idWidth(vocabularySize: vocabulary.size)
    pending.reserveCapacity(TokenShardHeader.checksumBlockSize)
    file = try AtomicFile(replacing: path)
    // Reserves space for the header. Until it is written, the file does not have the magic bytes of a shard.
    try [UInt8](repeating: 0, count: TokenShardHeader.size).withUnsafeBytes { try file.write($0) }
  }

  /// Appends one document, without an end-of-text id; it may be empty.
  ///
  /// - Parameter prompt: The number of prompt tokens at the start; 0 in a shard without prompts.
  /// - Throws: ``TokenShardError/tokenOutsideVocabulary(path:token:vocabularySize:)`` or ``FileError``.
  public func append(_ tokens: [Int32], prompt: Int = 0) throws {
    precondition(prompt == 0 || prompts != nil && prompt <= tokens.count, "TokenShardWriter: a prompt of \(prompt)")
    let limit = UInt32(vocabulary.size)
    if let wrong = tokens.first(where: { UInt32(bitPattern: $0) >= limit }) {
      throw TokenShardError.tokenOutsideVocabulary(path: file.path, token: wrong, vocabularySize: vocabulary.size)
    }
    if idWidth == 2 {
      try append(tokens) { UInt16(truncatingIfNeeded: $0).littleEndian }
    } else {
      try append(tokens) { $0.littleEndian }
    }
    tokenCount += tokens.count
    offsets.append(UInt64(tokenCount))
    prompts?.append(UInt32(prompt))
  }

  /// Writes the offsets, checksums and header, flushes the file to disk and renames it to its final name.
  public func finish() throws {
    try append([UInt8](repeating: 0, count: (8 - tokenCount * idWidth % 8) % 8)) { $0 }
    try append(offsets) { $0.littleEndian }
    if let prompts { try append(prompts) { $0.littleEndian } }
    try flush()
    let tableChecksum = checksums.withUnsafeBytes { CRC32.checksum(of: $0) }
    try checksums.withUnsafeBytes { try file.write($0) }
    let header = TokenShardHeader(
      vocabulary: vocabulary, tokenCount: tokenCount, documentCount: documentCount, tableChecksum: tableChecksum,
      hasPrompts: prompts != nil)
    try header.encoded().withUnsafeBytes { try file.write($0, at: 0) }
    try file.commit()
  }

  /// Appends the bytes of `encode(value)` for each of `values` to the payload.
  private func append<Value, Encoded: BitwiseCopyable>(_ values: [Value], encode: (Value) -> Encoded) throws {
    let width = MemoryLayout<Encoded>.size
    var done = 0
    while done < values.count {
      let used = pending.count
      let count = min(values.count - done, (TokenShardHeader.checksumBlockSize - used) / width)
      pending.append(contentsOf: repeatElement(0, count: count * width))
      pending.withUnsafeMutableBytes { bytes in
        for index in 0..<count {
          bytes.storeBytes(of: encode(values[done + index]), toByteOffset: used + index * width, as: Encoded.self)
        }
      }
      done += count
      if pending.count == TokenShardHeader.checksumBlockSize { try flush() }
    }
  }

  /// Writes the pending checksum block.
  private func flush() throws {
    if pending.isEmpty { return }
    try pending.withUnsafeBytes { bytes in
      checksums.append(littleEndian: CRC32.checksum(of: bytes))
      try file.write(bytes)
    }
    pending.removeAll(keepingCapacity: true)
  }
}

import CALMSupport
import Foundation

/// A memory-mapped file of tokenized documents.
///
/// Opening a shard checks its header, sizes and document offsets. Token ids are verified against their checksums when
/// they are first read, 64 KiB at a time, so damaged data is never used for training. Several threads may read at once.
public final class TokenShard: Sendable {
  /// The path of the file.
  public let path: String
  /// The vocabulary of the token ids.
  public var vocabulary: TokenVocabulary { header.vocabulary }
  /// The number of tokens in all documents.
  public var tokenCount: Int { header.tokenCount }
  /// The number of documents.
  public var documentCount: Int { header.documentCount }

  /// Whether documents begin with prompts, which are not prediction targets.
  public var hasPrompts: Bool { header.hasPrompts }
  /// The checksum of the header, which covers the checksums of all tokens and so identifies the content.
  public var checksum: UInt32 { file.bytes.integer(at: TokenShardHeader.checksumStart, as: UInt32.self) }

  private let header: TokenShardHeader
  private let file: MappedFile
  private let checked: CheckedBlocks

  /// Opens a shard.
  ///
  /// - Parameter tokenizerHash: The hash that the tokenizer must have, or nil for any.
  /// - Throws: ``TokenShardError`` if the file is not a valid shard of this tokenizer.
  public init(path: String, tokenizerHash: String? = nil) throws {
    self.path = path
    file = try MappedFile(path: path)
    header = try TokenShardHeader(decoding: file.bytes, path: path)
    let size = file.bytes.count
    if size < header.fileSize { throw TokenShardError.truncated(path: path, size: size, expected: header.fileSize) }
    if size > header.fileSize { throw TokenShardError.oversized(path: path, size: size, expected: header.fileSize) }
    checked = CheckedBlocks(count: header.checksumBlocks)
    let table = UnsafeRawBufferPointer(rebasing: file.bytes[(TokenShardHeader.size + header.payloadSize)...])
    guard CRC32.checksum(of: table) == header.tableChecksum else {
      throw TokenShardError.damagedHeader(path: path, reason: "wrong checksum of the checksum table")
    }
    if let tokenizerHash, tokenizerHash != vocabulary.tokenizerHash {
      throw TokenShardError.tokenizerMismatch(path: path, shard: vocabulary.tokenizerHash, expected: tokenizerHash)
    }
    try checkOffsets()
  }

  /// The range of document `index` in the shard's tokens.
  public func range(ofDocument index: Int) -> Range<Int> {
    precondition(index >= 0 && index < documentCount, "TokenShard: document \(index) of \(documentCount)")
    return offset(index)..<offset(index + 1)
  }

  /// The number of prompt tokens at the start of document `index`.
  public func promptLength(ofDocument index: Int) -> Int {
    precondition(index >= 0 && index < documentCount, "TokenShard: document \(index) of \(documentCount)")
    guard hasPrompts else { return 0 }
    return Int(
      file.bytes.integer(at: TokenShardHeader.size + header.promptsStart + index * 4, as: UInt32.self))
  }

  /// The tokens of document `index`.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` if the file has changed since it was written.
  public func tokens(ofDocument index: Int) throws -> [Int32] {
    let range = range(ofDocument: index)
    return try [Int32](unsafeUninitializedCapacity: range.count) { buffer, count in
      try copyTokens(range, to: buffer)
      count = range.count
    }
  }

  /// Copies the tokens in `range` to the start of `buffer`, which must be large enough.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` if the file has changed since it was written.
  public func copyTokens(_ range: Range<Int>, to buffer: UnsafeMutableBufferPointer<Int32>) throws {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= tokenCount, "TokenShard: tokens \(range) of \(tokenCount)")
    precondition(buffer.count >= range.count, "TokenShard: the buffer is too small for \(range.count) tokens")
    guard let target = buffer.baseAddress, !range.isEmpty else { return }
    let width = header.idWidth
    try check(payload: range.lowerBound * width..<range.upperBound * width)
    let start = TokenShardHeader.size + range.lowerBound * width
    let source = UnsafeRawBufferPointer(rebasing: file.bytes[start..<start + range.count * width])
    if width == 2 {
      source.withMemoryRebound(to: UInt16.self) { ids in
        for index in 0..<range.count { target[index] = Int32(UInt16(littleEndian: ids[index])) }
      }
    } else {
      source.withMemoryRebound(to: Int32.self) { ids in
        for index in 0..<range.count { target[index] = Int32(littleEndian: ids[index]) }
      }
    }
  }

  /// Reads the whole file and verifies every checksum.
  ///
  /// - Throws: ``TokenShardError/damagedBlock(path:block:bytes:)`` for the first damaged block.
  public func verify() throws {
    for block in 0..<header.checksumBlocks { try check(block) }
  }

  private func offset(_ index: Int) -> Int {
    let position = TokenShardHeader.size + header.offsetsStart + index * 8
    return Int(truncatingIfNeeded: file.bytes.integer(at: position, as: UInt64.self))
  }

  /// Checks the document offsets, on which all other accesses rely.
  private func checkOffsets() throws {
    try check(payload: header.offsetsStart..<header.payloadSize)
    var previous = offset(0)
    var ordered = previous == 0 && offset(documentCount) == tokenCount
    for index in 1..<(documentCount + 1) where ordered {
      let next = offset(index)
      ordered = next >= previous
      previous = next
    }
    if !ordered { throw TokenShardError.damagedHeader(path: path, reason: "document offsets out of order") }
  }

  /// Verifies the checksum blocks of a range of the payload that have not been verified yet.
  private func check(payload range: Range<Int>) throws {
    let size = TokenShardHeader.checksumBlockSize
    for block in range.lowerBound / size...(range.upperBound - 1) / size where !checked.contains(block) {
      try check(block)
      checked.insert(block)
    }
  }

  private func check(_ block: Int) throws {
    let range = header.fileBytes(ofChecksumBlock: block)
    let entry = TokenShardHeader.size + header.payloadSize + block * 4
    guard
      CRC32.checksum(of: .init(rebasing: file.bytes[range])) == file.bytes.integer(at: entry, as: UInt32.self)
    else {
      throw TokenShardError.damagedBlock(path: path, block: block, bytes: range)
    }
  }
}

/// The set of verified checksum blocks, one bit per block, protected by a lock.
private final class CheckedBlocks: @unchecked Sendable {
  private let lock = NSLock()
  private var words: [UInt64]

  init(count: Int) {
    words = [UInt64](repeating: 0, count: (count + 63) / 64)
  }

  func contains(_ block: Int) -> Bool {
    lock.withLock { words[block / 64] >> UInt64(block % 64) & 1 == 1 }
  }

  func insert(_ block: Int) {
    lock.withLock { words[block / 64] |= 1 << UInt64(block % 64) }
  }
}

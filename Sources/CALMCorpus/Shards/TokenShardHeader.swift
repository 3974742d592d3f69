import CALMSupport

/// The vocabulary of token ids.
public struct TokenVocabulary: Sendable, Equatable {
  /// A hash that identifies the tokenizer.
  public var tokenizerHash: String
  /// The number of ids, which are 0 ..< size.
  public var size: Int
  /// The id that ends a document.
  public var endOfText: Int32

  /// Creates a vocabulary of `size` ids; `endOfText` must be one of them.
  public init(tokenizerHash: String, size: Int, endOfText: Int32) {
    precondition(size > 0 && size <= Int(Int32.max), "TokenVocabulary: size \(size)")
    precondition(endOfText >= 0 && Int(endOfText) < size, "TokenVocabulary: end of text \(endOfText) of \(size) ids")
    self.tokenizerHash = tokenizerHash
    self.size = size
    self.endOfText = endOfText
  }
}

/// The header of a token shard, which is its first 256 bytes.
///
/// A shard (`.calmtokens`) contains documents as token ids, without end-of-text ids or padding, so it supports every
/// chunk size. All numbers are little-endian:
///
/// | bytes | content |
/// | --- | --- |
/// | 0 ..< 8 | `CALMTOKS` |
/// | 8 ..< 12 | version, UInt32: 1, or 2 if documents begin with prompts |
/// | 12 ..< 16 | bytes per id, UInt32: 2 if the vocabulary has at most 65,536 ids, otherwise 4 |
/// | 16 ..< 24 | number of tokens T, UInt64 |
/// | 24 ..< 32 | number of documents D, UInt64 |
/// | 32 ..< 36 | vocabulary size, UInt32 |
/// | 36 ..< 40 | end-of-text id, UInt32 |
/// | 40 ..< 44 | bytes per checksum block, UInt32: 65,536 |
/// | 44 ..< 48 | CRC-32 of the checksum table, UInt32 |
/// | 48 ..< 52 | length of the tokenizer's hash in bytes, UInt32, at most 192 |
/// | 52 ..< 244 | the tokenizer's hash in UTF-8, then zeros |
/// | 244 ..< 252 | zeros |
/// | 252 ..< 256 | CRC-32 of bytes 0 ..< 252, UInt32 |
/// | 256 … | payload: T ids, zeros up to a multiple of 8, D + 1 offsets, UInt64: document d is ids o[d] ..< o[d + 1] |
/// | in version 2 | the payload ends with D prompt lengths in tokens, UInt32 |
/// | after it | checksum table: a CRC-32, UInt32, for each checksum block of the payload; the last may be short |
struct TokenShardHeader: Equatable {
  static let magic = Array("CALMTOKS".utf8)
  static let version = 2
  static let size = 256
  static let hashLimit = 192
  /// The position of the header's own checksum.
  static let checksumStart = size - 4
  /// The block size, small enough that reading a training sequence verifies little more than the sequence.
  static let checksumBlockSize = 65_536

  var vocabulary: TokenVocabulary
  var tokenCount: Int
  var documentCount: Int
  var tableChecksum: UInt32
  /// Whether the shard contains prompt lengths.
  var hasPrompts = false

  /// Bytes per id.
  var idWidth: Int { Self.idWidth(vocabularySize: vocabulary.size) }
  /// The start of the document offsets in the payload.
  var offsetsStart: Int { (tokenCount * idWidth + 7) / 8 * 8 }
  var promptsStart: Int { offsetsStart + (documentCount + 1) * 8 }
  var payloadSize: Int { promptsStart + (hasPrompts ? documentCount * 4 : 0) }
  var checksumBlocks: Int { (payloadSize + Self.checksumBlockSize - 1) / Self.checksumBlockSize }
  var fileSize: Int { Self.size + payloadSize + checksumBlocks * 4 }

  static func idWidth(vocabularySize: Int) -> Int { vocabularySize <= 65_536 ? 2 : 4 }

  /// The bytes of the header.
  func encoded() -> [UInt8] {
    var bytes = Self.magic
    bytes.append(littleEndian: UInt32(hasPrompts ? 2 : 1))
    bytes.append(littleEndian: UInt32(idWidth))
    bytes.append(littleEndian: UInt64(tokenCount))
    bytes.append(littleEndian: UInt64(documentCount))
    bytes.append(littleEndian: UInt32(vocabulary.size))
    bytes.append(littleEndian: UInt32(vocabulary.endOfText))
    bytes.append(littleEndian: UInt32(Self.checksumBlockSize))
    bytes.append(littleEndian: tableChecksum)
    let hash = Array(vocabulary.tokenizerHash.utf8)
    bytes.append(littleEndian: UInt32(hash.count))
    bytes += hash
    bytes += [UInt8](repeating: 0, count: Self.checksumStart - bytes.count)
    bytes.append(littleEndian: bytes.withUnsafeBytes { CRC32.checksum(of: $0) })
    return bytes
  }

  /// Decodes a header and checks everything that does not need the payload.
  init(decoding bytes: UnsafeRawBufferPointer, path: String) throws {
    guard bytes.count >= 8, bytes.prefix(8).elementsEqual(Self.magic) else {
      throw TokenShardError.notAShard(path: path)
    }
    guard bytes.count >= Self.size else {
      throw TokenShardError.truncated(path: path, size: bytes.count, expected: Self.size)
    }
    func damaged(_ reason: String) -> TokenShardError { .damagedHeader(path: path, reason: reason) }
    let version = bytes.integer(at: 8, as: UInt32.self)
    // Other versions may store the checksum elsewhere, so the version is checked first.
    guard version == 1 || version == 2 else {
      throw TokenShardError.unsupportedVersion(path: path, version: Int(version))
    }
    let checked = UnsafeRawBufferPointer(rebasing: bytes[..<Self.checksumStart])
    guard bytes.integer(at: Self.checksumStart, as: UInt32.self) == CRC32.checksum(of: checked) else {
      throw damaged("wrong checksum")
    }
    let size = Int(bytes.integer(at: 32, as: UInt32.self))
    let endOfText = Int(bytes.integer(at: 36, as: UInt32.self))
    let hashLength = Int(bytes.integer(at: 48, as: UInt32.self))
    let tokens = bytes.integer(at: 16, as: UInt64.self)
    let documents = bytes.integer(at: 24, as: UInt64.self)
    guard size > 0, size <= Int(Int32.max), endOfText < size else { throw damaged("impossible vocabulary") }
    guard bytes.integer(at: 12, as: UInt32.self) == UInt32(Self.idWidth(vocabularySize: size)) else {
      throw damaged("the width of an id does not match the vocabulary")
    }
    guard tokens < 1 << 48, documents < 1 << 48 else { throw damaged("impossible counts") }
    guard bytes.integer(at: 40, as: UInt32.self) == UInt32(Self.checksumBlockSize), hashLength <= Self.hashLimit else {
      throw damaged("impossible sizes")
    }
    vocabulary = TokenVocabulary(
      tokenizerHash: String(decoding: bytes[52..<52 + hashLength], as: UTF8.self), size: size,
      endOfText: Int32(endOfText))
    tokenCount = Int(tokens)
    documentCount = Int(documents)
    tableChecksum = bytes.integer(at: 44, as: UInt32.self)
    hasPrompts = version == 2
  }

  init(
    vocabulary: TokenVocabulary, tokenCount: Int, documentCount: Int, tableChecksum: UInt32, hasPrompts: Bool = false
  ) {
    self.vocabulary = vocabulary
    self.tokenCount = tokenCount
    self.documentCount = documentCount
    self.tableChecksum = tableChecksum
    self.hasPrompts = hasPrompts
  }

  /// The range of checksum block `block` in the file.
  func fileBytes(ofChecksumBlock block: Int) -> Range<Int> {
    let start = block * Self.checksumBlockSize
    let end = min(start + Self.checksumBlockSize, payloadSize)
    return Self.size + start..<Self.size + end
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

extension UnsafeRawBufferPointer {
  /// Loads the little-endian integer at a byte offset.
  func integer<Integer: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Integer.Type) -> Integer {
    Integer(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

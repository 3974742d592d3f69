import CALMSupport

/// Why a token shard cannot be written or read.
public enum TokenShardError: DescribedError, Equatable, Sendable {
  /// The system refused to open or map the file.
  case unreadable(path: String, reason: String)
  /// The file does not begin as a shard does.
  case notAShard(path: String)
  /// The format's version is not one this program reads.
  case unsupportedVersion(path: String, version: Int)
  /// The header contradicts itself or its checksum.
  case damagedHeader(path: String, reason: String)
  /// The file is shorter than its header says.
  case truncated(path: String, size: Int, expected: Int)
  /// The file is longer than its header says.
  case oversized(path: String, size: Int, expected: Int)
  /// Bytes that no longer have the checksum they were written with: the number of the block and its bytes in the file.
  case damagedBlock(path: String, block: Int, bytes: Range<Int>)
  /// The shard was made with another tokenizer.
  case tokenizerMismatch(path: String, shard: String, expected: String)
  /// A token id to be written that the vocabulary does not have.
  case tokenOutsideVocabulary(path: String, token: Int32, vocabularySize: Int)
  /// The name of a tokenizer that the header has no room for.
  case tokenizerHashTooLong(path: String, length: Int, limit: Int)

  /// One line: the file, what is wrong with it, what to do.
  public var description: String {
    let again = "prepare the data again"
    return switch self {
    case .unreadable(let path, let reason):
      "\(path): cannot be read: \(reason)"
    case .notAShard(let path):
      "\(path): not a token shard; \(again)"
    case .unsupportedVersion(let path, let version):
      "\(path): token shard of version \(version), this program reads versions up to \(TokenShardHeader.version); \(again)"
    case .damagedHeader(let path, let reason):
      "\(path): damaged header: \(reason); \(again)"
    case .truncated(let path, let size, let expected):
      "\(path): truncated: \(size) bytes of \(expected); copy the file again, or \(again)"
    case .oversized(let path, let size, let expected):
      "\(path): \(size) bytes where the header says \(expected); copy the file again, or \(again)"
    case .damagedBlock(let path, let block, let bytes):
      "\(path): wrong checksum in block \(block) (bytes \(bytes.lowerBound) to \(bytes.upperBound - 1)); "
        + "copy the file again, or \(again)"
    case .tokenizerMismatch(let path, let shard, let expected):
      "\(path): made with another tokenizer (\(shard), wanted \(expected)); use that tokenizer, or \(again)"
    case .tokenOutsideVocabulary(let path, let token, let vocabularySize):
      "\(path): token id \(token) is outside the vocabulary of \(vocabularySize); "
        + "give the vocabulary size of the tokenizer in use"
    case .tokenizerHashTooLong(let path, let length, let limit):
      "\(path): the tokenizer's hash takes \(length) bytes, a shard has room for \(limit)"
    }
  }
}

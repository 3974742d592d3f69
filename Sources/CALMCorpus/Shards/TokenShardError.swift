import CALMSupport

/// An error in writing or reading a token shard.
public enum TokenShardError: DescribedError, Equatable, Sendable {
  /// The operating system could not open or map the file.
  case unreadable(path: String, reason: String)
  /// The file does not start with the magic bytes of a shard.
  case notAShard(path: String)
  /// The version of the format is not supported.
  case unsupportedVersion(path: String, version: Int)
  /// The header is inconsistent or has a wrong checksum.
  case damagedHeader(path: String, reason: String)
  /// The file is shorter than its header says.
  case truncated(path: String, size: Int, expected: Int)
  /// The file is longer than its header says.
  case oversized(path: String, size: Int, expected: Int)
  /// A checksum block is damaged; `bytes` is its range in the file.
  case damagedBlock(path: String, block: Int, bytes: Range<Int>)
  /// The shard was prepared with a different tokenizer.
  case tokenizerMismatch(path: String, shard: String, expected: String)
  /// A token id to write is not in the vocabulary.
  case tokenOutsideVocabulary(path: String, token: Int32, vocabularySize: Int)
  /// The hash of the tokenizer does not fit in the header.
  case tokenizerHashTooLong(path: String, length: Int, limit: Int)

  /// One line: the file, what is wrong and what to do.
  public var description: String {
    let again = "prepare the data again"
    return switch self {
    case .unreadable(let path, let reason):
      "\(path): cannot be read: \(reason); check the path and its permissions"
    case .notAShard(let path):
      "\(path): not a token shard; \(again)"
    case .unsupportedVersion(let path, let version):
      "\(path): token shard of version \(version), but only versions up to \(TokenShardHeader.version) are supported; "
        + "\(again), or update this program"
    case .damagedHeader(let path, let reason):
      "\(path): damaged header: \(reason); \(again)"
    case .truncated(let path, let size, let expected):
      "\(path): truncated: \(size) bytes of \(expected); copy the file again, or \(again)"
    case .oversized(let path, let size, let expected):
      "\(path): \(size) bytes, but the header says \(expected); copy the file again, or \(again)"
    case .damagedBlock(let path, let block, let bytes):
      "\(path): wrong checksum in block \(block) (bytes \(bytes.lowerBound) to \(bytes.upperBound - 1)); "
        + "copy the file again, or \(again)"
    case .tokenizerMismatch(let path, let shard, let expected):
      "\(path): prepared with a different tokenizer (\(shard), expected \(expected)); use that tokenizer, or \(again)"
    case .tokenOutsideVocabulary(let path, let token, let vocabularySize):
      "\(path): token id \(token) is outside the vocabulary of \(vocabularySize); "
        + "use the vocabulary size of the tokenizer"
    case .tokenizerHashTooLong(let path, let length, let limit):
      "\(path): the tokenizer's hash has \(length) bytes, but a shard supports at most \(limit); use a shorter hash"
    }
  }
}

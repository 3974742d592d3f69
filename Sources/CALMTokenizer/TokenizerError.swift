import CALMSupport

/// An error in the files, settings or ids of a tokenizer.
public enum TokenizerError: DescribedError, Equatable, Sendable {
  /// The file or folder cannot be read.
  case unreadable(file: String, reason: String)
  /// The file does not conform to its format.
  case malformed(file: String, reason: String)
  /// The file is well formed but uses an unsupported feature.
  case unsupported(file: String, feature: String)
  /// The file cannot be written.
  case unwritable(file: String, reason: String)
  /// An id is not in the vocabulary.
  case idOutOfRange(id: Int32, vocabularySize: Int)
  /// The vocabulary size is too small for the 256 bytes and the special tokens.
  case vocabularyTooSmall(size: Int, minimum: Int)
  /// The special tokens conflict with each other or with the vocabulary.
  case invalidSpecialTokens(reason: String)
  /// The training documents contain no text.
  case nothingToTrainOn
  /// The training text has more distinct words than the trainer can address.
  case tooMuchDistinctText

  /// One line: what is wrong and what to do.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file): cannot be read: \(reason); check the path and its permissions"
    case .malformed(let file, let reason):
      "\(file): not a valid tokenizer file: \(reason); correct the file, or download it again"
    case .unsupported(let file, let feature):
      "\(file): \(feature) is not supported; use a byte-level BPE tokenizer without it"
    case .unwritable(let file, let reason):
      "\(file): cannot be written: \(reason); check the folder, its permissions and the free disk space"
    case .idOutOfRange(let id, let vocabularySize):
      "token id \(id) is not in the vocabulary of \(vocabularySize) tokens; "
        + "use the tokenizer that produced the ids"
    case .vocabularyTooSmall(let size, let minimum):
      "a vocabulary of \(size) tokens is too small for 256 bytes and the special tokens; use at least \(minimum)"
    case .invalidSpecialTokens(let reason):
      "invalid special tokens: \(reason); choose other special tokens"
    case .nothingToTrainOn:
      "the training text is empty; add at least one document with text"
    case .tooMuchDistinctText:
      "the training text has more than 2 GiB of distinct words; train the tokenizer on a part of the text"
    }
  }
}

/// `text` in quotation marks, escaped to one line and truncated, for use in errors.
func quoted(_ text: some StringProtocol) -> String {
  let limit = 40
  var result = "\""
  for (count, scalar) in text.unicodeScalars.enumerated() {
    if count == limit {
      result += "…"
      break
    }
    let isSafe =
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator: false
      default: true
      }
    result += isSafe ? String(scalar) : scalar.escaped(asASCII: true)
  }
  return result + "\""
}

import CALMSupport

/// What can go wrong with a tokenizer's files, settings and ids. The description is one line.
public enum TokenizerError: DescribedError, Equatable, Sendable {
  /// The file or folder cannot be read.
  case unreadable(file: String, reason: String)
  /// The file is not what its format demands.
  case malformed(file: String, reason: String)
  /// The file is well formed and asks for something that is not supported here.
  case unsupported(file: String, feature: String)
  /// The file cannot be written.
  case unwritable(file: String, reason: String)
  /// An id is not in the vocabulary.
  case idOutOfRange(id: Int32, vocabularySize: Int)
  /// The wanted vocabulary has no room for the 256 bytes and the special tokens.
  case vocabularyTooSmall(size: Int, minimum: Int)
  /// The wanted special tokens contradict each other or the vocabulary.
  case invalidSpecialTokens(reason: String)
  /// The documents given to the trainer hold no text.
  case nothingToTrainOn
  /// The distinct words of the training text exceed what the trainer can address.
  case tooMuchDistinctText

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file): cannot be read: \(reason); check the path and its permissions"
    case .malformed(let file, let reason):
      "\(file): not a valid tokenizer file: \(reason); correct the file or fetch it again"
    case .unsupported(let file, let feature):
      "\(file): \(feature) is not supported; use a byte-level BPE tokenizer without it"
    case .unwritable(let file, let reason):
      "\(file): cannot be written: \(reason); check the folder, its permissions and the space on the disk"
    case .idOutOfRange(let id, let vocabularySize):
      "token id \(id) is not in the vocabulary of \(vocabularySize) tokens; "
        + "use the tokenizer that the ids were made with"
    case .vocabularyTooSmall(let size, let minimum):
      "a vocabulary of \(size) tokens is too small: 256 bytes and the special tokens need at least \(minimum)"
    case .invalidSpecialTokens(let reason):
      "special tokens: \(reason)"
    case .nothingToTrainOn:
      "the training text is empty; give the tokenizer at least one document with text"
    case .tooMuchDistinctText:
      "the training text holds more than 2 GiB of distinct words; train the tokenizer on a part of it"
    }
  }
}

/// `text` between quotation marks, on one line and cut short, to name a piece of a file in an error.
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

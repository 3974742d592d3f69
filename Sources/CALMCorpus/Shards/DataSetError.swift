import CALMSupport

/// An error in preparing or opening a data set.
public enum DataSetError: DescribedError, Equatable, Sendable {
  /// The target already exists.
  case targetExists(path: String, isDataSet: Bool)
  /// The source has no documents.
  case noDocuments
  /// The progress callback stopped the preparation.
  case stopped
  /// The folder has no readable `data.json`.
  case notADataSet(path: String, reason: String)
  /// The folder is one part of a data set.
  case unjoinedPart(path: String, part: CorpusPart)
  /// A shard named in `data.json` is missing.
  case missingShard(path: String)
  /// The shards contradict `data.json`.
  case disagreement(path: String, reason: String)
  /// The tokenizer has no end-of-text token.
  case noEndToken(String)

  /// One line: the file or folder, what is wrong and what to do.
  public var description: String {
    switch self {
    case .targetExists(let path, isDataSet: true):
      "\(path): already contains a data set; choose another folder"
    case .targetExists(let path, isDataSet: false):
      "\(path): exists and is not a data set; choose another folder"
    case .noEndToken(let path):
      "\(path): the tokenizer has no end-of-text token to end each document; add one, such as <eos>"
    case .noDocuments:
      "the input has no documents; add text (nothing was written)"
    case .stopped:
      "the preparation was stopped; nothing was written"
    case .notADataSet(let path, let reason):
      "\(path): not a prepared data set (\(reason)); prepare the data again"
    case .unjoinedPart(let path, let part):
      "\(path): \(part) of a data set; join all parts first"
    case .missingShard(let path):
      "\(path): the shard is missing; copy it again, or prepare the data again"
    case .disagreement(let path, let reason):
      "\(path): \(reason), which contradicts \(DataSetManifest.fileName); prepare the data again"
    }
  }
}

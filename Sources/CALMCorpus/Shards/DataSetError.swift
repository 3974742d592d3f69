import CALMSupport

/// Why a data set cannot be prepared or opened.
public enum DataSetError: DescribedError, Equatable, Sendable {
  /// Something stands where the data set is to go.
  case targetExists(path: String, isDataSet: Bool)
  /// The source gave no document.
  case noDocuments
  /// The progress callback asked to stop.
  case stopped
  /// The folder has no readable `data.json`.
  case notADataSet(path: String, reason: String)
  /// `data.json` names a shard that is not there.
  case missingShard(path: String)
  /// A shard does not hold what `data.json` says.
  case disagreement(path: String, reason: String)

  /// The tokenizer at the path has no end-of-text token, which follows each document.
  case noEndToken(String)

  /// One line: the folder, what is wrong with it, what to do.
  public var description: String {
    switch self {
    case .targetExists(let path, isDataSet: true):
      "\(path): holds a data set already; replace it with --overwrite, or choose another folder"
    case .targetExists(let path, isDataSet: false):
      "\(path): exists and is not a data set, so it is not replaced; choose another folder"
    case .noEndToken(let path):
      "\(path): no end-of-text token, which must follow each document; add one, such as <eos>"
    case .noDocuments:
      "the input holds no document; nothing was prepared"
    case .stopped:
      "preparation was stopped; nothing was written"
    case .notADataSet(let path, let reason):
      "\(path): not a prepared data set (\(reason)); prepare the data again"
    case .missingShard(let path):
      "\(path): this shard of the data set is missing; copy it again, or prepare the data again"
    case .disagreement(let path, let reason):
      "\(path): \(reason), unlike \(DataSetManifest.fileName) says; prepare the data again"
    }
  }
}

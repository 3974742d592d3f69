import CALMSupport

/// A training run that cannot begin or go on: what is wrong, and what to do.
public enum TrainingError: DescribedError, Equatable {
  /// The folder of a new run holds one already.
  case runExists(String)
  /// A folder without `run.json`.
  case noRun(String)
  /// Another process trains the run.
  case runTaken(String)
  /// `run.json` cannot be read.
  case damagedRecord(String)
  /// The run has no checkpoint yet.
  case noCheckpoint(String)
  /// The file `latest`, and the name of a checkpoint in it that is not there.
  case checkpointMissing(String, String)
  /// A checkpoint's training state cannot be read, or is not that of its model: the path and the reason.
  case damagedState(String, String)
  /// A checkpoint's file is not as it was written: the path and what is wrong with it.
  case damagedCheckpoint(String, String)
  /// A file or folder that the system does not let be made: the path and the reason.
  case cannotWrite(String, String)
  /// The blocks of a step are no multiple of the processes times the parts of each.
  case unevenBatch(blocks: Int, processes: Int, parts: Int)
  /// More batches in a row were left out than the settings allow; `documents` is the file that lists what they held.
  case notFinite(step: Int, inARow: Int, documents: String)
  /// Only prompts came, in that many batches in a row.
  case nothingToPredict(batches: Int)
  /// The data were prepared with another tokenizer than the model was trained with.
  case tokenizerMismatch(data: String, model: String)
  /// Two folders of data that were prepared with different tokenizers.
  case tokenizersDiffer(String, String)
  /// A folder of data whose content is not what the run was trained on so far.
  case otherData(String)
  /// Several processes that do not train the same: what differs.
  case processesDiffer([String])
  /// A corpus, as it was written, whose weight is not above 0.
  case invalidWeight(String)
  /// The data's tokenizer has more ids than the model's vocabulary.
  case vocabularyTooLarge(data: String, tokens: Int, model: String, vocabulary: Int)

  /// One line: the file or setting, what is wrong with it, what to do.
  public var description: String {
    switch self {
    case .runExists(let path):
      "\(path): a run is there already; go on with --resume, or choose another folder"
    case .noRun(let path):
      "\(path): no training run there (no run.json)"
    case .runTaken(let path):
      "\(path): another process is training this run; wait until it ends, or stop it first"
    case .damagedRecord(let path):
      "\(path): the run's settings cannot be read; put back the file from a copy"
    case .noCheckpoint(let path):
      "\(path): the run has no checkpoint yet; start it anew in another folder"
    case .checkpointMissing(let file, let name):
      "\(file): names the checkpoint '\(name)', which is not there; write the name of one that is in checkpoints/"
    case .damagedState(let path, let reason):
      "\(path): \(reason); write the name of an older checkpoint into the run's file 'latest'"
    case .damagedCheckpoint(let path, let reason):
      "\(path): \(reason); the checkpoint is damaged"
    case .cannotWrite(let path, let reason):
      "\(path): cannot be made: \(reason)"
    case .unevenBatch(let blocks, let processes, let parts):
      "a batch of \(blocks) blocks cannot be cut evenly for \(processes) process\(processes == 1 ? "" : "es") and \(parts) parts each; make it a multiple of \(processes * parts)"
    case .notFinite(let step, let count, let documents):
      "step \(step): the loss or its gradient was not finite \(count) times in a row; lower the learning rate and resume; the documents of those batches stand in \(documents)"
    case .nothingToPredict(let batches):
      "\(batches) batches in a row held nothing but prompts; prepare data whose completions are in the blocks"
    case .tokenizerMismatch(let data, let model):
      "\(data): prepared with another tokenizer than \(model) was trained with; prepare the data with that model's tokenizer.json"
    case .vocabularyTooLarge(let data, let tokens, let model, let vocabulary):
      "\(data): its tokenizer has \(tokens) ids, but the vocabulary of \(model) only \(vocabulary); prepare the data with that model's tokenizer"
    case .invalidWeight(let text):
      "\(text): the weight of a corpus must be above 0"
    case .tokenizersDiffer(let path, let other):
      "\(path): prepared with another tokenizer than \(other); prepare both with the same"
    case .otherData(let path):
      "\(path): not the data that the run was trained on so far, they were prepared anew; put those back, or begin a new run with --init-from"
    case .processesDiffer(let what):
      "the processes of this training differ in: \(what.joined(separator: ", ")); give every process the same files and settings"
    }
  }
}

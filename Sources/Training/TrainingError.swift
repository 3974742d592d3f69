/// A training run that cannot begin or go on: what is wrong, and what to do.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  case runExists(String)
  case noRun(String)
  case runTaken(String)
  case damagedRecord(String)
  case noCheckpoint(String)
  case checkpointMissing(String, String)
  case damagedState(String, String)
  case damagedCheckpoint(String, String)
  case cannotWrite(String, String)
  case unevenBatch(blocks: Int, processes: Int, parts: Int)
  case notFinite(step: Int, inARow: Int, documents: String)
  case nothingToPredict(batches: Int)
  case tokenizerMismatch(data: String, model: String)
  case tokenizersDiffer(String, String)
  case noPadding(String)
  case invalidWeight(String)
  case vocabularyTooLarge(data: String, tokens: Int, model: String, vocabulary: Int)

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
    case .noPadding(let path):
      "\(path): its tokenizer has no end-of-text token, which training puts after each document; use one that has"
    }
  }
}

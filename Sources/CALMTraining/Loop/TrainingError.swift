import CALMSupport

/// An error that prevents a training run from starting, resuming or continuing.
public enum TrainingError: DescribedError, Equatable {
  /// The folder for a new run already contains one.
  case runExists(String)
  /// A folder without `run.json`.
  case noRun(String)
  /// Another process trains the run.
  case runTaken(String)
  /// `run.json` cannot be read.
  case damagedRecord(String)
  /// The run has no checkpoint yet.
  case noCheckpoint(String)
  /// A path that names no checkpoint of its run, and the names of those that the run keeps.
  case noSuchCheckpoint(String, kept: [String])
  /// The path of the file `latest`, and the missing checkpoint that it names.
  case checkpointMissing(String, String)
  /// A checkpoint's training state cannot be read or does not match its model: the path and the reason.
  case damagedState(String, String)
  /// A file of a checkpoint differs from the one that was written: the path and the difference.
  case damagedCheckpoint(String, String)
  /// A file or folder that cannot be created: the path and the reason.
  case cannotWrite(String, String)
  /// The batch size is not a multiple of the number of processes times the parts of each.
  case unevenBatch(sequences: Int, processes: Int, parts: Int)
  /// Too many consecutive batches were not finite; `documents` is the file that lists their documents.
  case notFinite(step: Int, inARow: Int, documents: String)
  /// This many consecutive batches contained only prompts.
  case nothingToPredict(batches: Int)
  /// The tokenizer of the data differs from that of the model.
  case tokenizerMismatch(data: String, model: String)
  /// Two data sets with different tokenizers.
  case tokenizersDiffer(String, String)
  /// A data set whose content has changed since the checkpoint was written.
  case otherData(String)
  /// The properties in which the processes of one run differ.
  case processesDiffer([String])
  /// A corpus, as given, whose weight is not above 0.
  case invalidWeight(String)
  /// A run that would train further, though the student in this folder was distilled from its model.
  case studentExists(String)
  /// A distillation without a model to distill.
  case noTeacher
  /// The data's tokenizer has more ids than the model's vocabulary.
  case vocabularyTooLarge(data: String, tokens: Int, model: String, vocabulary: Int)

  /// One line: the file or setting, what is wrong with it, and what to do.
  public var description: String {
    switch self {
    case .noTeacher:
      "no model to distill; name it as the initial model"
    case .studentExists(let path):
      "\(path): this student was distilled from the run's model; resume the student's own run, or remove its folder to train the run further"
    case .runExists(let path):
      "\(path): already contains a training run; resume that run, or choose another folder"
    case .noRun(let path):
      "\(path): is not a training run (no run.json); check the path"
    case .runTaken(let path):
      "\(path): another process is training this run; wait until it ends, or stop it first"
    case .damagedRecord(let path):
      "\(path): the settings of the run cannot be read; restore the file from a copy"
    case .noCheckpoint(let path):
      "\(path): the run has no checkpoint yet; start it again in another folder"
    case .noSuchCheckpoint(let path, let kept):
      "\(path): no such checkpoint; the run keeps \(kept.isEmpty ? "none" : kept.joined(separator: ", "))"
    case .checkpointMissing(let file, let name):
      "\(file): names the checkpoint '\(name)', which does not exist; write the name of a folder in checkpoints/ into it"
    case .damagedState(let path, let reason):
      "\(path): \(reason); write the name of an older checkpoint into the run's file 'latest'"
    case .damagedCheckpoint(let path, let reason):
      "\(path): \(reason); the checkpoint is damaged"
    case .cannotWrite(let path, let reason):
      "\(path): cannot be created: \(reason)"
    case .unevenBatch(let sequences, let processes, let parts):
      "a batch of \(sequences) sequences cannot be split evenly into \(parts) part\(parts == 1 ? "" : "s") for each of \(processes) process\(processes == 1 ? "" : "es"); make the batch size a multiple of \(processes * parts)"
    case .notFinite(let step, let count, let documents):
      "step \(step): the loss or its gradient was not finite \(count) times in a row; lower the learning rate and resume; \(documents) lists the documents of those batches"
    case .nothingToPredict(let batches):
      "\(batches) consecutive batches contain only prompts; prepare the data so that sequences include completions"
    case .tokenizerMismatch(let data, let model):
      "\(data): was prepared with a tokenizer that differs from that of \(model); prepare the data with that model's tokenizer.json"
    case .vocabularyTooLarge(let data, let tokens, let model, let vocabulary):
      "\(data): its tokenizer has \(tokens) ids, but the vocabulary of \(model) has only \(vocabulary); prepare the data with that model's tokenizer"
    case .invalidWeight(let text):
      "\(text): the weight of a corpus must be above 0"
    case .tokenizersDiffer(let path, let other):
      "\(path): was not prepared with the same tokenizer as \(other); prepare both with the same tokenizer"
    case .otherData(let path):
      "\(path): has changed since the run was last trained; restore the original data, or start a new run from this run's model"
    case .processesDiffer(let properties):
      "the processes of this run differ in: \(properties.joined(separator: ", ")); give all processes the same files and settings"
    }
  }
}

import CALM
import CALMCorpus
import CALMTerminal
import CALMTraining

// What shows only beside the data and the model: a run that would fail at its first evaluation, or train in vain.

extension TrainingOptions {
  /// Refuses a new run that these options have resolved to, before anything of it is made.
  ///
  /// - Throws: a usage error, ``InputError/nothingToScore(data:tokens:)``, or an error of the data.
  func check(_ record: RunRecord) throws {
    let (settings, chunkSize) = (record.settings, record.model.chunkSize)
    let parts = try record.data.map { try TokenDataSet(path: $0.path).validation }.filter { !$0.isEmpty }
    let steps = min(settings.steps, settings.stepsOfTokens(chunkSize: chunkSize) ?? .max)
    var problems = tooLong(auxiliaryWarmupSteps: record.model.auxiliaryWarmupSteps, for: steps)
    problems += withoutEffect(
      "where the data has no held-out text", when: parts.isEmpty,
      [
        "--evaluate-every": evaluateEvery, "--evaluation-blocks": evaluationBlocks,
        "--best-by": bestBy == "none" ? nil : bestBy,
      ])
    guard record.model.isScored else { return try refuse(problems) }
    // A chunk, and those that hold the tokens behind it which are scored.
    let needed = 1 + (BrierScore.maximumOrder + chunkSize - 1) / chunkSize
    if settings.sequenceChunks < needed {
      let error = EvaluationError.blockTooShort(tokens: settings.sequenceChunks * chunkSize, needed: needed * chunkSize)
      problems.append("\(error)")
    }
    try refuse(problems)
    // The held-out documents of all corpora follow one another; only the last block may be shorter than the others.
    let chunks = try parts.map {
      try PackedSequences(shards: $0, chunkSize: chunkSize, sequenceChunks: 1, remainder: .padded).chunkCount
    }
    let heldOut = chunks.reduce(0, +)
    if !chunks.isEmpty && heldOut < needed {
      let data = record.data.map(\.path).joined(separator: ", ")
      throw InputError.nothingToScore(data: data, tokens: heldOut * chunkSize)
    }
  }
}

extension RunRecord.Model {
  /// The command of `calm train` that trains it.
  var command: String {
    switch self {
    case .autoencoder: "autoencoder"
    case .languageModel: "calm"
    case .autoregressive: "transformer"
    }
  }

  /// Steps that train on the auxiliary token loss alone.
  fileprivate var auxiliaryWarmupSteps: Int {
    if case .languageModel(_, _, let auxiliaryWarmupSteps) = self { auxiliaryWarmupSteps } else { 0 }
  }

  /// Whether evaluations score predictions.
  fileprivate var isScored: Bool {
    if case .autoencoder = self { false } else { true }
  }
}

import ArgumentParser
import CALM
import CALMCorpus
import CALMTerminal
import CALMTokenizer

/// The options of BrierLM, for every kind of model.
struct BrierOptions: ParsableArguments {
  @OptionGroup var text: EvaluationTextOptions

  @Option(
    help: ArgumentHelp("Tokens per sequence, 5 or more; limits the context of a prediction.", valueName: "n"))
  var sequenceLength = 1024

  @Option(help: ArgumentHelp("Samples per position, 2 or more; more samples reduce the variance.", valueName: "n"))
  var brierSamples = 2

  @Option(help: ArgumentHelp("Random seed.", valueName: "n"))
  var seed: UInt64 = 0

  func validate() throws {
    guard brierSamples >= 2 else { throw ValidationError("--brier-samples must be 2 or more, not \(brierSamples)") }
    guard sequenceLength >= 5 else {
      throw ValidationError("--sequence-length must be 5 or more, not \(sequenceLength)")
    }
  }

  /// The text to evaluate on.
  struct Blocks {
    let text: PackedSequences
    let tokenizer: Tokenizer
    /// The number of sequences to evaluate.
    let count: Int

    /// Calls `evaluate` with a callback that reports finished sequences to a progress bar.
    func withProgress<Result>(_ label: String, _ evaluate: ((Int) -> Void) throws -> Result) rethrows -> Result {
      let bar = ProgressBar(label: label, total: count)
      defer { bar.finish() }
      return try evaluate { bar.update(completed: $0) }
    }
  }

  /// Calls `evaluate` with the packed text.
  func withBlocks<Result>(
    for model: ModelFolder, chunkSize: Int, vocabularySize: Int, special: SpecialTokens,
    evaluate: (Blocks) throws -> Result
  ) throws -> Result {
    guard sequenceLength % chunkSize == 0 else {
      throw ValidationError(
        "--sequence-length must be a multiple of the model's chunk size \(chunkSize), not \(sequenceLength)")
    }
    return try text.withBlocks(
      for: model, chunkSize: chunkSize, sequenceChunks: sequenceLength / chunkSize, vocabularySize: vocabularySize,
      special: special
    ) { blocks, tokenizer in
      try evaluate(
        Blocks(text: blocks, tokenizer: tokenizer, count: min(text.numSequences ?? blocks.count, blocks.count)))
    }
  }
}

import ArgumentParser
import CALM
import CALMCorpus
import CALMTerminal

/// How BrierLM is measured, of whatever model.
struct BrierOptions: ParsableArguments {
  @OptionGroup var text: EvaluationTextOptions

  @Option(
    help: ArgumentHelp("Tokens in a block, 5 or more; they are the longest context of a prediction.", valueName: "n"))
  var sequenceTokens = 1024

  @Option(help: ArgumentHelp("Samples drawn a position, 2 or more; more lessen the variance.", valueName: "n"))
  var samples = 2

  @Option(help: ArgumentHelp("Decides the samples.", valueName: "n"))
  var seed: UInt64 = 0

  func validate() throws {
    guard samples >= 2 else { throw ValidationError("--samples must be 2 or more, not \(samples)") }
    guard sequenceTokens >= 5 else { throw ValidationError("--block-tokens must be 5 or more, not \(sequenceTokens)") }
  }

  /// Calls `evaluate` with the text in blocks and with what to tell how many are done, which a progress bar shows.
  func withBlocks<Result>(
    for model: ModelFolder, chunkSize: Int, vocabularySize: Int, special: SpecialTokens,
    evaluate: (PackedSequences, (Int) -> Void) throws -> Result
  ) throws -> Result {
    guard sequenceTokens % chunkSize == 0 else {
      throw ValidationError(
        "--block-tokens must be a multiple of the model's chunk size \(chunkSize), not \(sequenceTokens)")
    }
    return try text.withBlocks(
      for: model, chunkSize: chunkSize, sequenceChunks: sequenceTokens / chunkSize, vocabularySize: vocabularySize,
      special: special
    ) { blocks in
      let bar = ProgressBar(label: "evaluating", total: min(text.blocks ?? blocks.count, blocks.count))
      defer { bar.finish() }
      return try evaluate(blocks) { bar.update(completed: $0) }
    }
  }
}

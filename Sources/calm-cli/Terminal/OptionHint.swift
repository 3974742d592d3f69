import ArgumentParser
import CALM
import CALMCorpus
import CALMExperiments
import CALMTokenizer
import CALMTraining
import Torch

/// The option or command that resolves an error of a library, to append to the error's line; empty if there is none, or
/// if `command` does not have the option.
func optionHint(for error: any Error, of command: any ParsableCommand) -> String {
  let hint = optionHint(for: error)
  let type = type(of: command)
  let help = Calm.helpMessage(for: type) + ((type as? any TrainingCommand.Type)?.settingsHelp ?? "")
  let isKnown = hint.contains("'calm ") || hint.matches(of: /--[a-z-]+/).allSatisfy { help.contains($0.output) }
  return isKnown ? hint : ""
}

private func optionHint(for error: any Error) -> String {
  switch error {
  // Text and data sets
  case CorpusError.notUTF8: ", or replace invalid bytes with --lossy"
  case CorpusError.malformedLine: ", or skip malformed lines with --skip-malformed"
  case CorpusError.noPrompts: " (--prompt-field, --completion-field)"
  case DataSetError.targetExists(_, isDataSet: true): ", or replace the data set with --overwrite"
  case DataPartError.targetExists(_, isPart: true): ", or replace the part with --overwrite"
  case DataSetError.noEndToken: ", or train a tokenizer with 'calm tokenizer train'"
  case DataSetError.notADataSet, DataSetError.missingShard, DataSetError.disagreement, PackingError.noDocuments,
    TokenShardError.notAShard, TokenShardError.damagedHeader, TokenShardError.truncated, TokenShardError.oversized,
    TokenShardError.damagedBlock, TokenShardError.tokenizerMismatch:
    " with 'calm data prepare'"
  case TrainingError.tokenizerMismatch, TrainingError.vocabularyTooLarge, TrainingError.tokenizersDiffer,
    PackingError.tokenizerMismatch:
    " ('calm data prepare --tokenizer')"
  case ExperimentError.nothingHeldOut: " ('calm data prepare --validation-fraction')"
  case TokenizerError.vocabularyTooSmall: " (--vocab-size)"

  // Runs
  case PackingError.tooSmall, EvaluationError.sequenceTooShort: " (--sequence-length)"
  case PackingError.unevenBatch, TrainingError.unevenBatch: " (--batch-size)"
  case PackingError.invalidWeight, TrainingError.invalidWeight: " (--data folder:weight)"
  case TrainingError.nothingToPredict: ", or use longer sequences (--sequence-length)"
  case TrainingError.runExists: " (--resume, --out)"
  case TrainingError.noCheckpoint, TrainingError.cannotWrite: " (--out)"
  case TrainingError.otherData: " (--init-from)"
  case ProcessGroupError.lost, ProcessGroupError.late: " (--resume)"
  case ExperimentError.otherSettings, ExperimentError.unknownSettings: " (--out)"
  case DeviceError.unavailable: "; to compute on the processor, use --device cpu"

  // Models
  case ModelError.noTokenizer: ", or name another with --tokenizer"
  case ModelError.tokenizerMismatch, GenerationError.idOutsideVocabulary, GenerationError.idWithoutText:
    " (--tokenizer)"
  case ModelError.noAutoencoder: " with --autoencoder"
  case ModelError.sizesDiffer: " (--autoencoder)"
  case ModelError.targetExists: " (--out)"
  case GenerationError.notFinite: " (--precision float32)"
  case GenerationError.beginningTooRare: " (--max-samples, --sampler batch)"
  case TemperatureError.tooFewCandidates: " (--candidates)"
  case TemperatureError.maximumSamplesReached: " (--max-samples, --temperature, --sampler batch)"
  case BrierError.tooFewSamples: " (--brier-samples)"
  default: ""
  }
}

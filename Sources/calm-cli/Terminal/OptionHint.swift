import CALMCorpus

/// The option that resolves an error of a library, as an alternative to the remedy at the end of the error's line; empty
/// if there is no such option.
func optionHint(for error: any Error) -> String {
  switch error {
  case CorpusError.notUTF8: ", or replace invalid bytes with --lossy"
  case CorpusError.malformedLine: ", or skip malformed lines with --skip-malformed"
  case DataSetError.targetExists(_, isDataSet: true): ", or replace the data set with --overwrite"
  case DataPartError.targetExists(_, isPart: true): ", or replace the part with --overwrite"
  default: ""
  }
}

import ArgumentParser
import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTokenizer
import CALMTraining
import Foundation

/// The text for an evaluation: a prepared data set, or text files that are tokenized on the fly.
struct EvaluationTextOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Data set made by 'calm data prepare'.", valueName: "folder"))
  var data: String?

  @Option(help: "Part of the data set. (default: validation)")
  var split: DataSplit?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Text files instead of a data set, or JSON files with a field 'text'.", valueName: "files")
  )
  var text: [String] = []

  @OptionGroup var faults: TextFaultOptions

  @Option(help: ArgumentHelp("Tokenizer for --text, if not the one in the model's folder.", valueName: "path"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Sequences to evaluate, from the start. (default: all)", valueName: "n"))
  var numSequences: Int?

  func validate() throws {
    guard (data == nil) != text.isEmpty else {
      throw ValidationError("give the text to evaluate on with either --data or --text")
    }
    try positive("--num-sequences", numSequences)
    try refuse(
      withoutEffect(
        "with --data", when: data != nil,
        [
          "--tokenizer": tokenizer, "--lossy": faults.lossy.ifGiven, "--skip-malformed": faults.skipMalformed.ifGiven,
        ])
        + withoutEffect("with --text", when: data == nil, ["--split": split]))
  }

  /// Calls `body` with the text packed into sequences, each document followed by the model's end token and padding, and
  /// with its tokenizer.
  func withBlocks<Result>(
    for model: ModelFolder, chunkSize: Int, sequenceChunks: Int, vocabularySize: Int, special: SpecialTokens,
    _ body: (PackedSequences, Tokenizer) throws -> Result
  ) throws -> Result {
    if let data {
      let split = split ?? .validation
      let prepared = try TrainingData(path: data)
      try prepared.check(against: model, vocabularySize: vocabularySize)
      guard
        let blocks = try prepared.sequences(
          split, chunkSize: chunkSize, sequenceChunks: sequenceChunks, padding: special.padding, remainder: .padded)
      else { throw EvaluationTextError.emptySplit(data, split) }
      return try body(blocks, prepared.tokenizer)
    }
    let tokenizer =
      try self.tokenizer.map { try Tokenizer(contentsOf: URL(fileURLWithPath: $0)) } ?? model.tokenizer()
    guard tokenizer.vocabularySize <= vocabularySize else {
      throw ModelError.tokenizerMismatch(
        model.url.path, tokenizer: tokenizer.vocabularySize, model: vocabularySize)
    }
    let known = 0..<tokenizer.vocabularySize
    var pipeline = try TextPipeline(
      tokenizer, at: self.tokenizer ?? model.url.path,
      endOfText: special.end.flatMap { known.contains($0) ? Int32($0) : nil }, createdBy: "calm \(calmVersion)")
    pipeline.preparation.validationFraction = 0
    let temporary = FileManager.default.temporaryDirectory.appendingPathComponent("calm-eval-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: temporary) }
    let reader = try CorpusReader(
      paths: text, options: CorpusOptions(lossy: faults.lossy, skipMalformed: faults.skipMalformed))
    try refuse(faults.problems(with: reader))
    try pipeline.prepare(reader, into: temporary.path)
    let (documents, remarks) = (reader.progress.documents, reader.progress.remarks)
    if !remarks.isEmpty { StandardError.note("\(counted(documents, "document")) read\(remarks)") }
    return try body(
      try pipeline.sequences(
        of: TokenDataSet(path: temporary.path).train, chunkSize: chunkSize, sequenceChunks: sequenceChunks,
        padding: special.padding, remainder: .padded), tokenizer)
  }
}

extension DataSplit: ExpressibleByArgument {}

/// Text that an evaluation cannot use.
enum EvaluationTextError: DescribedError {
  case emptySplit(String, DataSplit)

  var description: String {
    switch self {
    case .emptySplit(let path, let split):
      "\(path): its \(split.rawValue) part has no documents; prepare the data with a larger --validation-fraction, or evaluate with --split train"
    }
  }
}

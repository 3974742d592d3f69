import ArgumentParser
import CALMTerminal

/// The sizes and inputs of the jobs of `calm-bench`.
struct BenchWorkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Sequences per training step. (default: from the shape)", valueName: "n"))
  var batchSize: Int?

  @Option(help: ArgumentHelp("Tokens per sequence. (default: from the shape)", valueName: "n"))
  var sequenceLength: Int?

  @Option(help: ArgumentHelp("Tokens in the vocabulary. (default: from the shape)", valueName: "n"))
  var vocabSize: Int?

  @Option(help: ArgumentHelp("Tokens in the prompt. (default: 64)", valueName: "n"))
  var promptTokens: Int?

  @Option(help: ArgumentHelp("Tokens to generate. (default: 128)", valueName: "n"))
  var newTokens: Int?

  @Option(
    help: ArgumentHelp("Candidates for each chunk below T = 1. (default: 200, as in the official code)", valueName: "n")
  )
  var candidates: Int?

  @Option(
    help: ArgumentHelp(
      "JSON lines with the field text, for the jobs on text. (default: synthetic stories)", valueName: "path"))
  var text: String?

  @Option(
    help: ArgumentHelp("Path of tokenizer.json for the jobs on text. (default: trained on the text)", valueName: "path")
  )
  var tokenizer: String?

  @Option(help: ArgumentHelp("Repetitions; the result is their median.", valueName: "n"))
  var steps = 8

  func validate() throws {
    try positive("--batch-size", batchSize)
    try positive("--sequence-length", sequenceLength)
    try positive("--prompt-tokens", promptTokens)
    try positive("--new-tokens", newTokens)
    try positive("--candidates", candidates)
    try positive("--steps", steps)
    if let sequenceLength, sequenceLength % 4 != 0 || sequenceLength < 8 {
      throw ValidationError("--sequence-length must be a multiple of 4 and at least 8, not \(sequenceLength)")
    }
    if let vocabSize, vocabSize < 8 { throw ValidationError("--vocab-size must be at least 8, not \(vocabSize)") }
    if promptLength % 4 != 0 || newLength % 4 != 0 {
      throw ValidationError("--prompt-tokens and --new-tokens must be multiples of 4")
    }
  }

  /// A shape with the sizes that these options change.
  func shape(_ name: BenchShape.Name) -> BenchShape {
    var shape = name.shape
    shape.sequences = batchSize ?? shape.sequences
    shape.tokens = sequenceLength ?? shape.tokens
    shape.vocabulary = vocabSize ?? shape.vocabulary
    return shape
  }

  /// The number of tokens in the prompt.
  var promptLength: Int { promptTokens ?? 64 }
  /// The number of tokens to generate.
  var newLength: Int { newTokens ?? 128 }
  /// The number of candidates for each chunk.
  var candidateCount: Int { candidates ?? 200 }

  /// The options that apply to some jobs: name, value if given, and whether the option applies to a job.
  private var jobOptions: [(name: String, value: String?, appliesTo: (BenchJob) -> Bool)] {
    [
      ("--batch-size", batchSize.map(String.init), { $0.isTraining || $0 == .evaluate }),
      ("--sequence-length", sequenceLength.map(String.init), { $0.isTraining || $0 == .evaluate }),
      ("--vocab-size", vocabSize.map(String.init), { !$0.readsText }),
      ("--prompt-tokens", promptTokens.map(String.init), \.generates),
      ("--new-tokens", newTokens.map(String.init), \.generates),
      ("--candidates", candidates.map(String.init), \.usesCandidates),
      ("--text", text, \.readsText), ("--tokenizer", tokenizer, \.readsText),
    ]
  }

  /// The options that apply to none of the jobs, as problems.
  func problems(with jobs: [BenchJob]) -> [String] {
    let idle = jobOptions.filter { $0.value != nil && !jobs.contains(where: $0.appliesTo) }
    return withoutEffect("on \(jobs.map(\.rawValue).joined(separator: ", "))", names: idle.map(\.name))
  }

  /// These options as arguments of a process that measures `job`.
  func arguments(of job: BenchJob) -> [String] {
    ["--steps", "\(steps)"]
      + jobOptions.filter { $0.appliesTo(job) }.flatMap { option in option.value.map { [option.name, $0] } ?? [] }
  }
}

import ArgumentParser
import CALMTerminal

/// What the jobs of `calm bench` work on.
struct BenchWorkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Blocks of a training step, if not those of the shape.", valueName: "n"))
  var batchSize: Int?

  @Option(help: ArgumentHelp("Tokens of a block, if not those of the shape.", valueName: "n"))
  var sequenceLength: Int?

  @Option(help: ArgumentHelp("The vocabulary, if not that of the shape.", valueName: "n"))
  var vocabSize: Int?

  @Option(help: ArgumentHelp("Tokens of the prompt of a generation; by default 64.", valueName: "n"))
  var promptTokens: Int?

  @Option(help: ArgumentHelp("Tokens that are generated; by default 128.", valueName: "n"))
  var newTokens: Int?

  @Option(
    help: ArgumentHelp("Chunks drawn at once below T = 1; by default 200, as in the official code.", valueName: "n"))
  var candidates: Int?

  @Option(
    help: ArgumentHelp(
      "JSON lines with a field text, for the jobs on text; by default built-in tales.", valueName: "path"))
  var text: String?

  @Option(help: ArgumentHelp("The tokenizer.json for these; by default one trained on the text.", valueName: "path"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Repetitions, of which the median is told.", valueName: "n"))
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

  /// A shape with what these options change of it.
  func shape(_ name: BenchShape.Name) -> BenchShape {
    var shape = name.shape
    shape.blocks = batchSize ?? shape.blocks
    shape.tokens = sequenceLength ?? shape.tokens
    shape.vocabulary = vocabSize ?? shape.vocabulary
    return shape
  }

  /// Tokens of the prompt.
  var promptLength: Int { promptTokens ?? 64 }
  /// Tokens that are generated.
  var newLength: Int { newTokens ?? 128 }
  /// Chunks drawn at once.
  var poolSize: Int { candidates ?? 200 }

  /// The options that some jobs have: each with its value where it was given, and whether a job has it.
  private var ofSomeJobs: [(name: String, value: String?, isOf: (BenchJob) -> Bool)] {
    [
      ("--batch-size", batchSize.map(String.init), { $0.isTraining || $0 == .evaluate }),
      ("--sequence-length", sequenceLength.map(String.init), { $0.isTraining || $0 == .evaluate }),
      ("--vocab-size", vocabSize.map(String.init), { !$0.readsText }),
      ("--prompt-tokens", promptTokens.map(String.init), \.generates),
      ("--new-tokens", newTokens.map(String.init), \.generates),
      ("--candidates", candidates.map(String.init), \.choosesFromPool),
      ("--text", text, \.readsText), ("--tokenizer", tokenizer, \.readsText),
    ]
  }

  /// Options that none of some jobs has.
  func problems(with jobs: [BenchJob]) -> [String] {
    let idle = ofSomeJobs.filter { $0.value != nil && !jobs.contains(where: $0.isOf) }
    return withoutEffect("on \(jobs.map(\.rawValue).joined(separator: ", "))", names: idle.map(\.name))
  }

  /// These options as arguments of another process, which does a job.
  func arguments(of job: BenchJob) -> [String] {
    ["--steps", "\(steps)"]
      + ofSomeJobs.filter { $0.isOf(job) }.flatMap { option in option.value.map { [option.name, $0] } ?? [] }
  }
}

import ArgumentParser

/// What the jobs of `calm bench` work on.
struct BenchWorkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Blocks of a training step, if not those of the shape.", valueName: "n"))
  var batchSize: Int?

  @Option(help: ArgumentHelp("Tokens of a block, if not those of the shape.", valueName: "n"))
  var blockTokens: Int?

  @Option(help: ArgumentHelp("The vocabulary, if not that of the shape.", valueName: "n"))
  var vocabulary: Int?

  @Option(help: ArgumentHelp("Tokens of the prompt of a generation.", valueName: "n"))
  var promptTokens = 64

  @Option(help: ArgumentHelp("Tokens that are generated.", valueName: "n"))
  var newTokens = 128

  @Option(help: ArgumentHelp("Chunks drawn at once below T = 1; the official code has 200.", valueName: "n"))
  var pool = 200

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
    try positive("--block-tokens", blockTokens)
    try positive("--prompt-tokens", promptTokens)
    try positive("--new-tokens", newTokens)
    try positive("--pool", pool)
    try positive("--steps", steps)
    if let blockTokens, blockTokens % 4 != 0 || blockTokens < 8 {
      throw ValidationError("--block-tokens must be a multiple of 4 and at least 8, not \(blockTokens)")
    }
    if let vocabulary, vocabulary < 8 { throw ValidationError("--vocabulary must be at least 8, not \(vocabulary)") }
    if promptTokens % 4 != 0 || newTokens % 4 != 0 {
      throw ValidationError("--prompt-tokens and --new-tokens must be multiples of 4")
    }
  }

  /// A shape with what these options change of it.
  func shape(_ name: BenchShape.Name) -> BenchShape {
    var shape = name.shape
    shape.blocks = batchSize ?? shape.blocks
    shape.tokens = blockTokens ?? shape.tokens
    shape.vocabulary = vocabulary ?? shape.vocabulary
    return shape
  }

  /// These options as arguments of another process.
  var arguments: [String] {
    var list = [
      "--prompt-tokens", "\(promptTokens)", "--new-tokens", "\(newTokens)", "--pool", "\(pool)", "--steps", "\(steps)",
    ]
    for (name, value) in [
      ("--batch-size", batchSize), ("--block-tokens", blockTokens), ("--vocabulary", vocabulary),
    ] {
      if let value { list += [name, "\(value)"] }
    }
    for (name, value) in [("--text", text), ("--tokenizer", tokenizer)] {
      if let value { list += [name, value] }
    }
    return list
  }
}

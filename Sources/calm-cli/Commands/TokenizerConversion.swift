import ArgumentParser
import CALMTerminal
import CALMTokenizer

/// What encoding and decoding have in common: a tokenizer, an input, and in which form both sides are.
struct TokenizerConversion: ParsableArguments {
  /// Reads all input and writes what becomes of it.
  typealias Body = (_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws -> Void

  @OptionGroup var tokenizer: TokenizerOption

  @Argument(help: "File to read; - reads standard input.")
  var file = "-"

  @Flag(name: .customLong("json"), help: "Read and write one JSON value per line: texts are strings, ids are arrays.")
  var isJSON = false

  /// Converts the input to standard output: by `json` where `--json` is given, else by `plain`.
  func run(plain: Body, json: Body) throws {
    let tokenizer = try tokenizer.load()
    let input = try ByteInput(file)
    var output = BufferedOutput()
    if isJSON {
      try json(input, tokenizer, &output)
    } else {
      try plain(input, tokenizer, &output)
    }
    try output.flush()
  }
}

import ArgumentParser
import CALMTerminal
import CALMTokenizer

/// The options shared by encoding and decoding: a tokenizer, an input, and the format of both input and output.
struct TokenizerConversion: ParsableArguments {
  /// Reads all input and writes the converted output.
  typealias Body = (_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws -> Void

  @OptionGroup var tokenizer: TokenizerOption

  @Argument(help: "File to read; - reads standard input.")
  var file = "-"

  @Flag(name: .customLong("json"), help: "Read and write one JSON value per line: texts are strings, ids are arrays.")
  var isJSON = false

  /// Converts the input to standard output, with `json` if `--json` is given and `plain` otherwise.
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

import ArgumentParser
import CALMTerminal
import CALMTokenizer
import Foundation

/// `calm tokenizer`: trains and applies byte-level BPE tokenizers.
struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Train a byte-level BPE tokenizer; turn text into token ids and back.",
    discussion: """
      Example:
        calm tokenizer train books/*.txt --vocab-size 4096 --out tokenizer.json
        echo "Once upon a time" | calm tokenizer encode --tokenizer tokenizer.json
      """,
    subcommands: [TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self])
}

/// The tokenizer of a command: `--tokenizer`.
struct TokenizerOption: ParsableArguments {
  @Option(
    name: .customLong("tokenizer"),
    help: ArgumentHelp(
      "tokenizer.json, the tokenizer.model of Llama 3, or a folder with one of them.", valueName: "path"))
  var path: String

  /// Loads the tokenizer.
  ///
  /// - Throws: `TokenizerError`.
  func load() throws -> Tokenizer {
    try Tokenizer(contentsOf: URL(fileURLWithPath: path))
  }
}

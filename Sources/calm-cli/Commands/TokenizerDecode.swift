import ArgumentParser
import CALMTerminal
import CALMTokenizer
import Foundation

/// `calm tokenizer decode`.
struct TokenizerDecode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode",
    abstract: "Turn token ids into text.",
    discussion: """
      Reads ids separated by any whitespace and writes exactly the bytes that they encode. Memory use does not \
      depend on the length of the text.

      Example:
        calm tokenizer decode --tokenizer tokenizer.json < ids.txt
        echo '[431,286,70]' | calm tokenizer decode --tokenizer tokenizer.json --json
      """)

  @OptionGroup var conversion: TokenizerConversion

  @Flag(help: "Leave special tokens, such as <eos>, out of the text.")
  var skipSpecial = false

  func run() throws { try conversion.run(plain: decodeNumbers, json: decodeLines) }

  private func decodeNumbers(_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws {
    // The bytes of every id, looked up once: a text contains far more ids than the vocabulary.
    let tokens = try ContiguousArray(
      (0..<Int32(tokenizer.vocabularySize)).map {
        try tokenizer.decodeBytes(CollectionOfOne($0), skipSpecial: skipSpecial)
      })
    var number: Int32?
    var line = 1
    func flushNumber() throws {
      guard let id = number else { return }
      number = nil
      guard id < tokens.count else {
        let error = TokenizerError.idOutOfRange(id: id, vocabularySize: tokens.count)
        throw InputError.badId(file: input.name, line: line, reason: error.description)
      }
      try output.append(tokens[Int(id)])
    }
    while let part = try input.next() {
      for byte in part {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          let (shifted, tooLarge) = (number ?? 0).multipliedReportingOverflow(by: 10)
          let (sum, overflow) = shifted.addingReportingOverflow(Int32(byte - UInt8(ascii: "0")))
          guard !tooLarge && !overflow else { throw InputError.notIds(file: input.name, line: line) }
          number = sum
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
          try flushNumber()
          if byte == UInt8(ascii: "\n") { line += 1 }
        default:
          throw InputError.notIds(file: input.name, line: line)
        }
      }
    }
    try flushNumber()
  }

  private func decodeLines(_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws {
    let (decoder, encoder) = (JSONDecoder(), JSONEncoder())
    encoder.outputFormatting = .withoutEscapingSlashes
    while let line = try input.nextLine() {
      guard let ids = try? decoder.decode([Int32].self, from: line) else {
        throw InputError.notJSON(file: input.name, line: input.lineNumber, expected: "a JSON array of token ids")
      }
      do {
        try output.append(encoder.encode(tokenizer.decode(ids, skipSpecial: skipSpecial)))
      } catch let error as TokenizerError {
        throw InputError.badId(file: input.name, line: input.lineNumber, reason: error.description)
      }
      try output.append(UInt8(ascii: "\n"))
    }
  }
}

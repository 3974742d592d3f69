import ArgumentParser
import CALMTerminal
import CALMTokenizer
import Foundation

/// `calm tokenizer encode`.
struct TokenizerEncode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Turn text into token ids.",
    discussion: """
      Writes the ids of each line of text on one line. The input may contain any bytes; 'calm tokenizer decode' \
      restores them. Memory use does not depend on the length of the text.

      Example:
        calm tokenizer encode --tokenizer tokenizer.json < story.txt > ids.txt
        echo '"Once upon a time"' | calm tokenizer encode --tokenizer tokenizer.json --json
      """)

  @OptionGroup var conversion: TokenizerConversion

  @Flag(help: "Encode the text of a special token, such as <eos>, as that token.")
  var special = false

  func run() throws { try conversion.run(plain: encodeText, json: encodeLines) }

  private func encodeText(_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws {
    let endsLine = try ContiguousArray(
      (0..<Int32(tokenizer.vocabularySize)).map { try tokenizer.token(for: $0).last == UInt8(ascii: "\n") })
    var encoder = StreamingEncoder(tokenizer, allowSpecial: special)
    var ids: [Int32] = []
    var isInLine = false
    func writeIds() throws {
      for id in ids {
        if isInLine { try output.append(UInt8(ascii: " ")) }
        try output.append(number: id)
        isInLine = !endsLine[Int(id)]
        if !isInLine { try output.append(UInt8(ascii: "\n")) }
      }
      ids.removeAll(keepingCapacity: true)
    }
    while let part = try input.next() {
      encoder.append(bytes: part, to: &ids)
      try writeIds()
    }
    encoder.finish(to: &ids)
    try writeIds()
    if isInLine { try output.append(UInt8(ascii: "\n")) }
  }

  private func encodeLines(_ input: ByteInput, _ tokenizer: Tokenizer, _ output: inout BufferedOutput) throws {
    let decoder = JSONDecoder()
    while let line = try input.nextLine() {
      guard let text = try? decoder.decode(String.self, from: line) else {
        throw InputError.notJSON(file: input.name, line: input.lineNumber, expected: "a JSON string")
      }
      try output.append(UInt8(ascii: "["))
      for (index, id) in tokenizer.encode(text, allowSpecial: special).enumerated() {
        if index > 0 { try output.append(UInt8(ascii: ",")) }
        try output.append(number: id)
      }
      try output.append("]\n")
    }
  }
}

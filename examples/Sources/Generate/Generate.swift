import CALM
import Foundation
import Torch

/// Generates a text from the folder of a language model:
///
///     swift run Generate ../runs/lm/model "Once upon a time"
@main
struct Generate {
  static func main() async {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard (1...2).contains(arguments.count) else { exit(with: "usage: Generate <model folder> [<prompt>]") }
    do {
      try await generate(from: URL(fileURLWithPath: arguments[0]), prompt: arguments.count > 1 ? arguments[1] : "")
    } catch {
      exit(with: "\(error)")
    }
  }

  private static func generate(from url: URL, prompt: String) async throws {
    let options = GenerationOptions(temperature: 0.5, maximumTokens: 200, seed: .random(in: 0...UInt64.max))
    let generator = try generator(for: ModelFolder(url), prompt: prompt, options: options)

    write(prompt, to: .standardOutput)
    for try await piece in generator.stream() { write(piece.text, to: .standardOutput) }
    write("\n", to: .standardOutput)
  }

  private static func generator(
    for folder: ModelFolder, prompt: String, options: GenerationOptions
  ) throws -> TextGenerator {
    let type = Precision.auto.resolved(on: .cpu)
    let tokenizer = try folder.tokenizer()
    switch folder.kind {
    case .languageModel:
      return try TextGenerator(
        folder.loadLanguageModel(as: type), tokenizer: tokenizer, prompt: prompt, options: options)
    case .autoregressive:
      return try TextGenerator(
        folder.loadAutoregressiveModel(as: type), tokenizer: tokenizer, prompt: prompt, options: options)
    case .autoencoder:
      exit(with: "\(folder.url.path) is an autoencoder; give the folder of a language model")
    }
  }

  private static func exit(with message: String) -> Never {
    write("Generate: \(message)\n", to: .standardError)
    Foundation.exit(1)
  }

  /// Writes at once, without waiting for the end of a line.
  private static func write(_ text: String, to file: FileHandle) { file.write(Data(text.utf8)) }
}

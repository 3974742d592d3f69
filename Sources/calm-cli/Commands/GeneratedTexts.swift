import CALM
import CALMSupport
import CALMTerminal
import Foundation

/// The texts of `calm generate` and their summary.
struct GeneratedTexts {
  private let prompt: String
  private let texts: [String]
  private let sequences: [GeneratedSequence]
  private let seconds: Double

  /// The text that a generator has written so far.
  init(_ generator: TextGenerator, prompt: String, seconds: Double) {
    (texts, sequences) = (generator.texts, generator.sequences)
    (self.prompt, self.seconds) = (prompt, seconds)
  }

  private var tokens: Int { sequences.reduce(0) { $0 + $1.tokens.count } }

  /// All results, for `--json`.
  struct Results: Encodable {
    struct Sample: Encodable {
      let text: String
      let tokens: Int
      let chunks: Int
      /// Why the text ended; missing if it was interrupted.
      let finished: SequenceEnd?
      let forcedPrefix: Bool
    }

    let prompt: String
    let samples: [Sample]
    let seconds: Double
    let tokensPerSecond: Double
  }

  var results: Results {
    let samples = zip(texts, sequences).map { text, sequence in
      Results.Sample(
        text: text, tokens: sequence.tokens.count, chunks: sequence.chunks, finished: sequence.end,
        forcedPrefix: sequence.forcedPrefix)
    }
    return Results(prompt: prompt, samples: samples, seconds: seconds, tokensPerSecond: Double(tokens) / seconds)
  }

  /// All texts one after the other, each under a line with its number.
  var listing: String {
    texts.enumerated().map { index, text in
      "--- sample \(index + 1) of \(texts.count) ---\n\(prompt)\(text)\n"
    }.joined(separator: "\n")
  }

  /// A note for the user if no sampled chunk began with the prompt's last tokens, so that they overwrite the start of
  /// one; nil otherwise.
  func remark(maximumSamples: Int) -> String? {
    let forced = sequences.filter(\.forcedPrefix).count
    if forced == 0 { return nil }
    return """
      note: none of \(maximumSamples) sampled chunks began with the prompt's last tokens, so these tokens overwrite \
      the start of one (\(forced) of \(counted(texts.count, "sample"))); a prompt that ends in a whole word may help
      """
  }

  /// How much text was generated, and how fast.
  var speed: String {
    let chunks = sequences.reduce(0) { $0 + $1.chunks }
    return "\(counted(tokens, "token")) in \(counted(chunks, "chunk")), \(String(format: "%.2f", seconds)) s, "
      + "\(String(format: "%.1f", Double(tokens) / seconds)) tokens/s"
  }
}

import CALM
import CALMTokenizer

/// The text of one choice, from its tokens.
struct ChoiceText {
  private var decoder: StreamingDecoder
  private var matcher: StopMatcher
  private let stopTokens: Set<Int32>
  private let vocabularySize: Int

  init(_ tokenizer: Tokenizer, stops: [String], stopTokens: Set<Int32>) {
    self.stopTokens = stopTokens
    decoder = StreamingDecoder(tokenizer, skipSpecial: true)
    matcher = StopMatcher(stops)
    vocabularySize = tokenizer.vocabularySize
  }

  /// Adds a chunk.
  ///
  /// - Returns: the text that it completes, and why the choice ends with it; nil if it continues.
  /// - Throws: ``GenerationError/idWithoutText(id:tokens:)``.
  mutating func append(_ chunk: GeneratedChunk) throws -> (text: String, finish: FinishReason?) {
    var text = ""
    for id in chunk.tokens {
      if stopTokens.contains(id) { return (text + finish(), .stop) }
      guard id < vocabularySize else { throw GenerationError.idWithoutText(id: Int(id), tokens: vocabularySize) }
      text += try matcher.append(decoder.append(id))
      if matcher.isStopped { return (text, .stop) }
    }
    guard let end = chunk.end else { return (text, nil) }
    text += finish()
    return (text, matcher.isStopped || end == .endOfDocument ? .stop : .length)
  }

  /// The text that was held back.
  private mutating func finish() -> String {
    let rest = matcher.append(decoder.finish())
    return rest + matcher.finish()
  }
}

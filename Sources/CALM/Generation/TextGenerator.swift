import CALMTokenizer

/// Generates texts from a prompt, piece by piece: step by step, or as a ``stream()``.
///
/// ```swift
/// let generator = try TextGenerator(model, tokenizer: tokenizer, prompt: "Once upon a time", options: options)
/// while let pieces = try generator.step() {
///   for piece in pieces { print(piece.text, terminator: "") }
/// }
/// ```
///
/// Names of special tokens in the prompt are ordinary text. Special tokens that the model generates are omitted.
public final class TextGenerator {
  /// The text that one step adds to one of the texts.
  public struct Piece: Hashable, Sendable {
    /// The index of the text, from 0.
    public let sequence: Int
    /// Complete characters only: the bytes of an incomplete one are part of a later piece.
    public let text: String
    /// Why the text ends with this piece; nil if it continues.
    public let end: SequenceEnd?
  }

  /// The texts generated so far, without the prompt.
  public private(set) var texts: [String]
  /// The tokens of the texts.
  public var sequences: [GeneratedSequence] { generator.sequences }
  private let generator: any SequenceGenerator
  private var decoders: [StreamingDecoder]
  /// The size of the tokenizer's vocabulary, which may be smaller than the model's.
  private let vocabularySize: Int

  /// Creates a generator for a prompt.
  ///
  /// - Parameters:
  ///   - model: a language model.
  ///   - tokenizer: the model's tokenizer.
  ///   - prompt: any text; an empty prompt starts a document.
  ///   - options: the sampling options.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  public convenience init(
    _ model: ContinuousLanguageModel, tokenizer: Tokenizer, prompt: String, options: GenerationOptions
  ) throws {
    let ids = Self.prompt(
      prompt, tokenizer, options: options, hasDocumentEnds: model.configuration.hasDocumentEnds)
    self.init(try ChunkGenerator(model, prompt: ids, options: options), tokenizer: tokenizer)
  }

  /// Creates a generator for a prompt.
  ///
  /// - Parameters:
  ///   - model: an autoregressive model.
  ///   - tokenizer: the model's tokenizer.
  ///   - prompt: any text; an empty prompt starts a document.
  ///   - options: the sampling options.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  public convenience init(
    _ model: AutoregressiveModel, tokenizer: Tokenizer, prompt: String, options: GenerationOptions
  ) throws {
    let ids = Self.prompt(
      prompt, tokenizer, options: options, hasDocumentEnds: model.configuration.hasDocumentEnds)
    self.init(try TokenGenerator(model, prompt: ids, options: options), tokenizer: tokenizer)
  }

  private init(_ generator: any SequenceGenerator, tokenizer: Tokenizer) {
    self.generator = generator
    vocabularySize = tokenizer.vocabularySize
    let count = generator.sequences.count
    decoders = Array(repeating: StreamingDecoder(tokenizer, skipSpecial: true), count: count)
    texts = Array(repeating: "", count: count)
  }

  /// Models that were trained without end tokens expect the prefix of the tokenizer's template at the start of a text.
  private static func prompt(
    _ text: String, _ tokenizer: Tokenizer, options: GenerationOptions, hasDocumentEnds: Bool
  ) -> [Int32] {
    let startsWithTemplate = !options.continuesText && !hasDocumentEnds
    return (startsWithTemplate ? tokenizer.prefixTokens : []) + tokenizer.encode(text)
  }

  /// Generates the next chunk of every text that has not ended.
  ///
  /// - Returns: the pieces, by ascending sequence; nil if all texts have ended.
  /// - Throws: the errors of ``ChunkGenerator/step()``, and ``GenerationError/idWithoutText(id:tokens:)``.
  public func step() throws -> [Piece]? {
    try generator.step()?.map { chunk in
      var text = ""
      for id in chunk.tokens {
        guard id < vocabularySize else { throw GenerationError.idWithoutText(id: Int(id), tokens: vocabularySize) }
        text += try decoders[chunk.sequence].append(id)
      }
      if chunk.end != nil { text += decoders[chunk.sequence].finish() }
      texts[chunk.sequence] += text
      return Piece(sequence: chunk.sequence, text: text, end: chunk.end)
    }
  }
}

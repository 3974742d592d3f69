import CALMTokenizer

/// Generates texts from a prompt, piece by piece.
///
/// ```swift
/// let generator = try TextGenerator(model, tokenizer: tokenizer, prompt: "Once upon a time", options: options)
/// while let pieces = try generator.step() {
///   for piece in pieces { print(piece.text, terminator: "") }
/// }
/// ```
///
/// Special tokens in the prompt are text like any other, and those that the model generates are left out.
public final class TextGenerator {
  /// What one step added to one text.
  public struct Piece: Hashable, Sendable {
    /// The number of the text, from 0.
    public let sequence: Int
    /// Whole characters only: what ends inside one comes with a later piece.
    public let text: String
    /// Set where the text ends with this piece.
    public let end: SequenceEnd?
  }

  /// The texts after the prompt, as far as they were handed out.
  public private(set) var texts: [String]
  /// The sequences of tokens behind them.
  public var sequences: [GeneratedSequence] { generator.sequences }
  private let generator: any SequenceGenerator
  private var decoders: [StreamingDecoder]
  /// The tokenizer's, which may be smaller than the model's.
  private let vocabularySize: Int

  /// Reads the prompt.
  ///
  /// - Parameters:
  ///   - model: a language model.
  ///   - tokenizer: the one it was trained with.
  ///   - prompt: any text; none starts a document.
  ///   - options: see there.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  public convenience init(
    _ model: ContinuousLanguageModel, tokenizer: Tokenizer, prompt: String, options: GenerationOptions
  ) throws {
    let ids = Self.prompt(
      prompt, tokenizer, options: options, hasDocumentEnds: model.configuration.hasDocumentEnds)
    self.init(try ChunkGenerator(model, prompt: ids, options: options), tokenizer: tokenizer)
  }

  /// Reads the prompt.
  ///
  /// - Parameters:
  ///   - model: an autoregressive model.
  ///   - tokenizer: the one it was trained with.
  ///   - prompt: any text; none starts a document.
  ///   - options: see there.
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

  /// Models that do not mark documents by their ends were trained on what the tokenizer's template makes of a text.
  private static func prompt(
    _ text: String, _ tokenizer: Tokenizer, options: GenerationOptions, hasDocumentEnds: Bool
  ) -> [Int32] {
    let startsWithTemplate = !options.continuesText && !hasDocumentEnds
    return (startsWithTemplate ? tokenizer.prefixTokens : []) + tokenizer.encode(text)
  }

  /// Generates the next chunk of every text that has not ended.
  ///
  /// - Returns: these pieces, by ascending sequence; nil when all texts have ended.
  /// - Throws: what ``ChunkGenerator/step()`` throws, and ``GenerationError/idWithoutText(id:tokens:)``.
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

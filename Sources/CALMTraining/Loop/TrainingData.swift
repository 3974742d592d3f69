import CALM
import CALMCorpus
import CALMTokenizer
import Foundation

/// A data set for training: its shards and its tokenizer.
public struct TrainingData {
  /// The shards.
  public let set: TokenDataSet
  /// The content of the data set's `tokenizer.json`.
  public let tokenizerFile: Data
  /// The tokenizer.
  public let tokenizer: Tokenizer

  /// Opens a folder written by `calm data prepare`.
  ///
  /// - Throws: an error of the data set or its tokenizer; ``DataSetError/noEndToken(_:)`` if the tokenizer has no
  ///   end-of-text token.
  public init(path: String) throws {
    set = try TokenDataSet(path: path)
    let url = URL(fileURLWithPath: path).appendingPathComponent("tokenizer.json")
    tokenizer = try Tokenizer(contentsOf: url)
    tokenizerFile = try Data(contentsOf: url)
    if tokenizer.contentHash != set.manifest.tokenizerHash {
      throw TrainingError.tokenizerMismatch(data: path, model: url.path)
    }
    if tokenizer.eosToken == nil { throw DataSetError.noEndToken(url.path) }
  }

  /// The special tokens for models trained on this data; the end-of-text token is also the padding if the tokenizer has no
  /// padding token.
  public var special: SpecialTokens {
    SpecialTokens(
      padding: (tokenizer.padToken ?? tokenizer.eosToken).map(Int.init), beginning: tokenizer.bosToken.map(Int.init),
      end: tokenizer.eosToken.map(Int.init))
  }

  /// The special tokens for autoregressive models. They need no padding, and the end-of-text token must not replace it,
  /// because padding is excluded from the loss.
  public var specialWithoutStandIn: SpecialTokens {
    var special = special
    special.padding = tokenizer.padToken.map(Int.init)
    return special
  }

  /// Checks that a model has the tokenizer of this data, and a vocabulary that is large enough for it.
  ///
  /// A model without a tokenizer passes. One of the tokenizers may lack the padding token: the official models add one to
  /// the tokenizer of Llama 3.
  ///
  /// - Throws: ``TrainingError``, or the error of a tokenizer that cannot be read.
  public func check(against model: ModelFolder, vocabularySize: Int) throws {
    guard tokenizer.vocabularySize <= vocabularySize else {
      throw TrainingError.vocabularyTooLarge(
        data: set.path, tokens: tokenizer.vocabularySize, model: model.url.path, vocabulary: vocabularySize)
    }
    let other: Tokenizer
    do {
      other = try model.tokenizer()
    } catch ModelError.noTokenizer {
      return
    }
    if other.contentHash == tokenizer.contentHash { return }
    if let one = try? other.withPadToken(), one.contentHash == (try? tokenizer.withPadToken())?.contentHash { return }
    throw TrainingError.tokenizerMismatch(data: set.path, model: model.url.path)
  }

  /// The sequences of a split; nil if the split has no documents.
  ///
  /// - Parameter padding: the model's padding; nil for the tokenizer's, or else its end-of-text token.
  public func sequences(
    _ split: DataSplit, chunkSize: Int, sequenceChunks: Int, padding: Int? = nil, remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    try sequences(
      of: set.shards(split), chunkSize: chunkSize, sequenceChunks: sequenceChunks, padding: padding,
      remainder: remainder)
  }

  /// The sequences of shards that were written with this tokenizer; nil if there are no shards.
  func sequences(
    of shards: [TokenShard], chunkSize: Int, sequenceChunks: Int, padding: Int? = nil,
    remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    if shards.isEmpty { return nil }
    return try PackedSequences(
      shards: shards, chunkSize: chunkSize, sequenceChunks: sequenceChunks,
      padding: padding.map(Int32.init) ?? tokenizer.padToken ?? tokenizer.eosToken, remainder: remainder)
  }
}

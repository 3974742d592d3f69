import CALM
import CALMCorpus
import CALMTokenizer
import Foundation

/// A prepared data set as training uses it: its shards, and what its tokenizer says of special tokens.
public struct TrainingData {
  /// The shards.
  public let set: TokenDataSet
  /// The content of the data set's `tokenizer.json`.
  public let tokenizerFile: Data
  /// The tokenizer.
  public let tokenizer: Tokenizer

  /// Opens a folder that `calm data prepare` made.
  ///
  /// - Throws: an error of the data set or its tokenizer, or ``DataSetError/noEndToken(_:)`` where the tokenizer has no
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

  /// The special tokens of models trained on this; padding is the end token where the tokenizer has none of its own.
  public var special: SpecialTokens {
    SpecialTokens(
      padding: (tokenizer.padToken ?? tokenizer.eosToken).map(Int.init), beginning: tokenizer.bosToken.map(Int.init),
      end: tokenizer.eosToken.map(Int.init))
  }

  /// The special tokens of autoregressive models: nothing is padded there, so the end token need not stand in for
  /// padding, which is never learnt.
  public var specialWithoutStandIn: SpecialTokens {
    var special = special
    special.padding = tokenizer.padToken.map(Int.init)
    return special
  }

  /// Refuses a model that was trained with another tokenizer, or whose vocabulary is smaller than this one's.
  ///
  /// A model without a tokenizer is not refused for it. One of the tokenizers may lack the pad token: the official models add one to the tokenizer of Llama 3.
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

  /// A split cut into blocks; nil where the split has no documents.
  ///
  /// - Parameter padding: the model's padding; nil takes the tokenizer's, or its end token.
  public func blocks(
    _ split: DataSplit, chunkSize: Int, sequenceChunks: Int, padding: Int? = nil, remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    try blocks(
      of: set.shards(split), chunkSize: chunkSize, sequenceChunks: sequenceChunks, padding: padding,
      remainder: remainder)
  }

  /// Shards of this tokenizer cut into blocks; nil where there are none.
  func blocks(
    of shards: [TokenShard], chunkSize: Int, sequenceChunks: Int, padding: Int? = nil,
    remainder: PackedSequences.Remainder
  ) throws -> PackedSequences? {
    if shards.isEmpty { return nil }
    return try PackedSequences(
      shards: shards, chunkSize: chunkSize, sequenceChunks: sequenceChunks,
      padding: padding.map(Int32.init) ?? tokenizer.padToken ?? tokenizer.eosToken, remainder: remainder)
  }
}

import Foundation

/// The negative log-likelihood of a text under a model or an upper bound of it, given the true text before each chunk
/// or token: lower is better.
///
/// Padding counts in the likelihood and not as text. Standard errors come from resampling documents; they are nil with
/// fewer than two documents and contain the error of sampling.
public struct TextLikelihood: Codable, Sendable {
  /// How it was computed.
  public let method: LikelihoodMethod
  /// The samples per position of a bound; nil if exact.
  public let samples: Int?
  /// Nats per token, including the tokens that end documents.
  public let natsPerToken: Double
  /// The standard error of ``natsPerToken``.
  public let natsPerTokenStandardError: Double?
  /// exp(``natsPerToken``).
  public let perplexity: Double
  /// Bits per Unicode scalar; nil without the lengths of the tokens.
  public let bitsPerCharacter: Double?
  /// The standard error of ``bitsPerCharacter``.
  public let bitsPerCharacterStandardError: Double?
  /// Bits per byte of UTF-8; nil without the lengths of the tokens.
  public let bitsPerByte: Double?
  /// The standard error of ``bitsPerByte``.
  public let bitsPerByteStandardError: Double?
  /// The number of predicted tokens, without padding.
  public let tokens: Int
  /// The number of documents that contain them.
  public let documents: Int
  /// The sequence length in tokens, on which the likelihood depends.
  public let sequenceTokens: Int
}

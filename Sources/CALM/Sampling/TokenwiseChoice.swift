/// A choice among chunks of tokens that asks for the tokens as it needs them: one position of some chunks at a time.
///
/// Decoding a token is dear, and most tokens of most chunks do not matter to the choice.
public protocol TokenwiseChoice<Token> {
  associatedtype Token: Hashable & Sendable

  /// The tokens to decode next; nil when there is nothing more to ask.
  var pending: PendingTokens? { get }

  /// Takes the tokens that were pending, and finds what is pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  mutating func record(_ tokens: [Token])
}

/// The tokens that a choice asks for.
public struct PendingTokens: Hashable, Sendable {
  /// Which token of the chunk, from 0.
  public let position: Int

  /// Indices of the samples to decode it for, in ascending order.
  public let samples: [Int]
}

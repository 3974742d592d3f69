/// A choice among chunks that requests their tokens on demand: one position of some chunks at a time.
///
/// Decoding a token is expensive, and most tokens of most chunks do not affect the choice.
package protocol TokenwiseChoice<Token> {
  associatedtype Token: Hashable & Sendable

  /// The tokens to decode next; nil if the choice needs no more.
  var pending: PendingTokens? { get }

  /// Stores the pending tokens, and determines which are pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  mutating func record(_ tokens: [Token])
}

/// The tokens that a choice requests.
package struct PendingTokens: Hashable, Sendable {
  /// The position of the token in the chunk, from 0.
  package let position: Int

  /// The indices of the samples to decode, ascending.
  package let samples: [Int]
}

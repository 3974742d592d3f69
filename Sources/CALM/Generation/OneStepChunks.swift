import Torch

/// Candidates of a one-step head. Their beliefs are computed at once, and each token is computed from the belief of its
/// chunk.
struct OneStepChunks: UndecodedChunks {
  private let beliefs: FusedOneStepHead.Beliefs
  private let head: FusedOneStepHead

  /// - Parameters:
  ///   - noise: [count, K·d].
  ///   - positions: the position of each chunk.
  init(_ noise: Tensor, positions: [Int], head: FusedOneStepHead) {
    self.init(beliefs: head.beliefs(noise, positions: positions), head: head)
  }

  private init(beliefs: FusedOneStepHead.Beliefs, head: FusedOneStepHead) {
    (self.beliefs, self.head) = (beliefs, head)
  }

  var count: Int { beliefs.positions.count }
  var chunkSize: Int { head.chunkSize }
  var freeTokens: Int { 0 }

  func tokens(at places: [Int]) -> [Int32] { head.tokens(beliefs, at: places) }

  func latent(of chunk: Int) -> Tensor? { nil }

  func selecting(_ chunks: [Int]) -> Self { Self(beliefs: beliefs.selecting(chunks), head: head) }

  func joined(with others: [Self]) -> Self {
    Self(beliefs: others.reduce(beliefs) { $0.joined(with: $1.beliefs) }, head: head)
  }
}

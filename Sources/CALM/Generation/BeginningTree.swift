import Torch

/// The beginnings of the next chunks of some positions, which a tokens head extends token by token.
///
/// Chunks of a position that begin with equal tokens have equal probabilities for the token that follows. A node of the
/// tree is such a beginning, and its probabilities are computed once: 200 candidates for a chunk need one row of the
/// head for their first token, and for each later token one row per different beginning.
package final class BeginningTree {
  /// Some tokens with which a chunk of a position begins.
  private struct Beginning {
    let position: Int
    let tokens: [Int32]
    /// The nodes of the beginnings that are one token longer.
    var longer: [Int32: Int] = [:]
    /// The running sums of the next token's probabilities, [V]; nil if they are not computed, or no longer kept.
    var sums: ArraySlice<Float>?
  }

  /// The number of running sums that are kept, at most: 128 MB.
  package static let mostSums = 1 << 25
  /// The number of running sums that are computed at once: 16 MB.
  private static let sumsAtOnce = 1 << 22

  let chunkSize: Int
  private let head: TokensHead
  private let context: TokensHead.Context
  private let vocabulary: Tensor
  /// Tokens with which the chunks of each position begin, fewer than K.
  private let given: [[Int32]]
  private let mostSums: Int
  /// The first nodes are the empty beginnings of the positions.
  private var beginnings: [Beginning]
  private var keptSums = 0

  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - given: tokens with which the chunks of each position begin, fewer than K. The others are sampled given these.
  ///   - mostSums: the number of running sums to keep, at most. Those that are needed again are computed again.
  package init(
    _ head: TokensHead, hidden: Tensor, vocabulary: Tensor, given: [[Int32]], mostSums: Int = BeginningTree.mostSums
  ) {
    precondition(given.count == hidden.shape[0], "beginnings of \(given.count) of \(hidden.shape[0]) positions")
    (self.head, self.vocabulary, self.given, self.mostSums) = (head, vocabulary, given, mostSums)
    chunkSize = head.noiseCount
    context = withoutGradients { head.context(hidden) }
    beginnings = (0..<hidden.shape[0]).map { Beginning(position: $0, tokens: []) }
  }

  /// The last tokens of beginnings of chunks.
  ///
  /// - Parameters:
  ///   - positions: the position of each chunk.
  ///   - numbers: for each chunk a uniform number for each token of the beginning, at least one.
  /// - Returns: a token for each chunk; −1 where the model computed a number that is not finite.
  package func tokens(of positions: [Int], numbers: [ArraySlice<Float>]) -> [Int32] {
    var nodes = positions
    var rest = numbers
    var last = Array(repeating: SampledChunks.notFinite, count: positions.count)
    var open = Array(positions.indices)
    while true {
      // Follows each chunk to the first node that is not computed. A chunk does not return to earlier nodes.
      open.removeAll { chunk in
        while let number = rest[chunk].first {
          let beginning = beginnings[nodes[chunk]]
          let given = given[beginning.position]
          if beginning.tokens.count < given.count {
            last[chunk] = given[beginning.tokens.count]
          } else {
            guard let sums = beginning.sums else { return false }
            last[chunk] = Self.token(at: number, in: sums)
            if last[chunk] == SampledChunks.notFinite { return true }
          }
          rest[chunk].removeFirst()
          if !rest[chunk].isEmpty { nodes[chunk] = longer(nodes[chunk], by: last[chunk]) }
        }
        return true
      }
      if open.isEmpty { return last }
      compute(open.map { nodes[$0] })
    }
  }

  /// The token at which the running sum first exceeds a uniform number; −1 if the sums are not finite.
  private static func token(at number: Float, in sums: ArraySlice<Float>) -> Int32 {
    guard let total = sums.last, total.isFinite else { return SampledChunks.notFinite }
    // Rounding may leave the total below 1.
    let bound = number * total
    var (low, high) = (sums.startIndex, sums.endIndex - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > bound { high = middle } else { low = middle + 1 }
    }
    return Int32(low - sums.startIndex)
  }

  /// The node of a beginning that is one token longer.
  private func longer(_ node: Int, by token: Int32) -> Int {
    if let found = beginnings[node].longer[token] { return found }
    let new = beginnings.count
    beginnings.append(Beginning(position: beginnings[node].position, tokens: beginnings[node].tokens + [token]))
    beginnings[node].longer[token] = new
    return new
  }

  /// Computes the running sums of some nodes, or of the first of them if they are many.
  private func compute(_ needed: [Int]) {
    let count = vocabulary.shape[0]
    var found: Set<Int> = []
    let nodes = needed.filter { found.insert($0).inserted }.prefix(max(1, Self.sumsAtOnce / count)).sorted {
      (beginnings[$0].tokens.count, $0) < (beginnings[$1].tokens.count, $1)
    }
    if keptSums + nodes.count * count > mostSums {
      for node in beginnings.indices { beginnings[node].sums = nil }
      keptSums = 0
    }
    let sums = withoutGradients {
      head.probabilities(
        after: nodes.map { (beginnings[$0].position, beginnings[$0].tokens) }, context, vocabulary: vocabulary
      ).cumulativeSum(along: -1).elements(as: Float.self)
    }
    for (row, node) in nodes.enumerated() { beginnings[node].sums = sums[row * count..<(row + 1) * count] }
    keptSums += sums.count
  }
}

import Torch

/// The beginnings of the next chunks of some positions, which a tokens head extends token by token.
///
/// Each token is sampled from the head's probabilities, at the temperature and with the limits of a ``TokenChoice``.
/// Chunks of a position that begin with equal tokens have equal probabilities for the token that follows. A node of the
/// tree is such a beginning, and its probabilities are computed once: 200 candidates for a chunk need one row of the
/// head for their first token, and for each later token one row per different beginning.
package final class BeginningTree {
  /// Some tokens with which a chunk of a position begins.
  private struct Beginning {
    let position: Int
    /// The number of tokens.
    let length: Int
    /// The last token, and the node of those before it; unused if there are none.
    let last: Branch
    /// Where the running sums of the next token's probabilities are; nil if they are not computed, or no longer kept.
    var sums: (pass: Int, row: Int)?
  }

  /// A node and the token that leads from it to a longer beginning.
  private struct Branch: Hashable {
    let node: Int
    let token: Int32
  }

  /// The number of running sums that are kept, at most: 128 MB.
  package static let mostSums = 1 << 25
  /// The number of running sums that are computed at once: 16 MB.
  private static let sumsAtOnce = 1 << 22

  let chunkSize: Int
  private let head: TokensHead
  private let context: TokensHead.Context
  private let fused: FusedTokensHead?
  private let vocabulary: Tensor
  private var vocabularySize: Int { head.configuration.vocabularySize }
  /// Tokens with which the chunks of each position begin, fewer than K.
  private let given: [[Int32]]
  private let choice: TokenChoice
  private let mostSums: Int
  /// The first nodes are the empty beginnings of the positions.
  private var beginnings: [Beginning]
  /// The nodes of the beginnings that are one token longer.
  private var longer: [Branch: Int] = [:]
  /// The running sums of the next token's probabilities by pass of the head, [nodes, V] each.
  private var sums: [[Float]] = []
  private var keptSums = 0

  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - vocabulary: the token embeddings, [V, h].
  ///   - given: tokens with which the chunks of each position begin, fewer than K. The others are sampled given these.
  ///   - choice: how each token is chosen.
  ///   - mostSums: the number of running sums to keep, at most. Those that are needed again are computed again.
  package init(
    _ head: TokensHead, hidden: Tensor, vocabulary: Tensor, given: [[Int32]], choice: TokenChoice = .unlimited,
    mostSums: Int = BeginningTree.mostSums
  ) {
    precondition(given.count == hidden.shape[0], "beginnings of \(given.count) of \(hidden.shape[0]) positions")
    (self.head, self.vocabulary, self.given) = (head, vocabulary, given)
    (self.choice, self.mostSums) = (choice, mostSums)
    chunkSize = head.noiseCount
    let context = withoutGradients { head.context(hidden) }
    self.context = context
    fused = withoutGradients { head.fused(context, vocabulary: vocabulary) }
    beginnings = (0..<hidden.shape[0]).map { Beginning(position: $0, length: 0, last: Branch(node: $0, token: 0)) }
  }

  /// The last tokens of longer beginnings.
  ///
  /// - Parameters:
  ///   - starts: for each chunk a node at which it has arrived, and which of the numbers are those of the tokens that
  ///     follow, at least one.
  ///   - numbers: uniform numbers.
  /// - Returns: a token for each chunk, −1 where the model computed a number that is not finite; and the node before it.
  package func tokens(
    after starts: [(node: Int, own: Range<Int>)], numbers: [Float]
  ) -> (tokens: [Int32], nodes: [Int]) {
    var nodes = starts.map { $0.node }
    var rest = starts.map { $0.own }
    var last = Array(repeating: SampledChunks.notFinite, count: starts.count)
    var open = Array(starts.indices)
    while true {
      // Follows each chunk to the first node that is not computed. A chunk does not return to earlier nodes.
      open.removeAll { chunk in
        while !rest[chunk].isEmpty {
          guard let token = token(after: nodes[chunk], at: numbers[rest[chunk].lowerBound]) else { return false }
          last[chunk] = token
          rest[chunk].removeFirst()
          if token == SampledChunks.notFinite { return true }
          if !rest[chunk].isEmpty { nodes[chunk] = node(after: nodes[chunk], token) }
        }
        return true
      }
      if open.isEmpty { return (last, nodes) }
      compute(open.map { nodes[$0] })
    }
  }

  /// The position whose chunks begin with the tokens of a node. It is also the number of its empty beginning.
  func position(of node: Int) -> Int { beginnings[node].position }

  /// The number of tokens of a beginning.
  func length(of node: Int) -> Int { beginnings[node].length }

  /// The token after a beginning that a uniform number leads to; nil if its running sums are not computed.
  private func token(after node: Int, at number: Float) -> Int32? {
    let beginning = beginnings[node]
    let given = given[beginning.position]
    if beginning.length < given.count { return given[beginning.length] }
    guard let (pass, row) = beginning.sums else { return nil }
    return sums[pass].withUnsafeBufferPointer {
      Self.token(at: number, in: $0[row * vocabularySize..<(row + 1) * vocabularySize])
    }
  }

  /// The token at which the running sum first exceeds a uniform number; −1 if the sums are not finite.
  private static func token(at number: Float, in sums: Slice<UnsafeBufferPointer<Float>>) -> Int32 {
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
  private func node(after node: Int, _ token: Int32) -> Int {
    let branch = Branch(node: node, token: token)
    if let found = longer[branch] { return found }
    let beginning = beginnings[node]
    longer[branch] = beginnings.count
    beginnings.append(Beginning(position: beginning.position, length: beginning.length + 1, last: branch))
    return beginnings.count - 1
  }

  private func tokens(of node: Int) -> [Int32] {
    let beginning = beginnings[node]
    return beginning.length == 0 ? [] : tokens(of: beginning.last.node) + [beginning.last.token]
  }

  /// Computes the running sums of some nodes, or of the first of them if they are many.
  private func compute(_ needed: [Int]) {
    var found: Set<Int> = []
    let nodes = needed.filter { found.insert($0).inserted }.prefix(max(1, Self.sumsAtOnce / vocabularySize)).sorted {
      (beginnings[$0].length, $0) < (beginnings[$1].length, $1)
    }
    if keptSums + nodes.count * vocabularySize > mostSums {
      for node in beginnings.indices { beginnings[node].sums = nil }
      (sums, keptSums) = ([], 0)
    }
    for (row, node) in nodes.enumerated() { beginnings[node].sums = (sums.count, row) }
    keptSums += nodes.count * vocabularySize
    let rows = nodes.map { (position: beginnings[$0].position, tokens: tokens(of: $0)) }
    var new =
      fused?.sums(after: rows, exponent: 1 / choice.temperature)
      ?? withoutGradients {
        softmax(head.logits(after: rows, context, vocabulary: vocabulary) / choice.temperature)
          .cumulativeSum(along: -1).elements()
      }
    if choice.isLimited {
      new.withUnsafeMutableBufferPointer { new in
        for row in rows.indices {
          choice.limit(sums: .init(rebasing: new[row * vocabularySize..<(row + 1) * vocabularySize]))
        }
      }
    }
    sums.append(new)
  }
}

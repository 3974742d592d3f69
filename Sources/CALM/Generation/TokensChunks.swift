import Torch

/// Candidates of a tokens head. Their uniform numbers lead them through the tree of beginnings.
struct TokensChunks: UndecodedChunks {
  /// K uniform numbers for each chunk.
  private let numbers: [Float]
  /// The longest beginning of each chunk at which it has arrived.
  private var nodes: [Int]
  private let tree: BeginningTree

  /// - Parameters:
  ///   - noise: [count, K].
  ///   - positions: the position of each chunk in the tree.
  init(_ noise: Tensor, positions: [Int], tree: BeginningTree) {
    self.init(numbers: noise.to(.float32).elements(as: Float.self), nodes: positions, tree: tree)
  }

  private init(numbers: [Float], nodes: [Int], tree: BeginningTree) {
    (self.numbers, self.nodes, self.tree) = (numbers, nodes, tree)
  }

  var count: Int { nodes.count }
  var chunkSize: Int { tree.chunkSize }
  var freeTokens: Int { 0 }

  mutating func tokens(at places: [Int]) -> [Int32] {
    let starts = places.map { place in
      var node = nodes[place / chunkSize]
      if tree.length(of: node) > place % chunkSize { node = tree.position(of: node) }
      return (node: node, own: place / chunkSize * chunkSize + tree.length(of: node)..<place + 1)
    }
    let found = tree.tokens(after: starts, numbers: numbers)
    for (place, node) in zip(places, found.nodes) {
      let chunk = place / chunkSize
      if tree.length(of: node) > tree.length(of: nodes[chunk]) { nodes[chunk] = node }
    }
    return found.tokens
  }

  func latent(of chunk: Int) -> Tensor? { nil }

  func selecting(_ chunks: [Int]) -> Self {
    Self(
      numbers: chunks.flatMap { numbers[$0 * chunkSize..<($0 + 1) * chunkSize] },
      nodes: chunks.map { nodes[$0] }, tree: tree)
  }

  func joined(with others: [Self]) -> Self {
    Self(
      numbers: others.reduce(into: numbers) { $0 += $1.numbers },
      nodes: others.reduce(into: nodes) { $0 += $1.nodes }, tree: tree)
  }
}

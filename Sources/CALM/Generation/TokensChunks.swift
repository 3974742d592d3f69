import Torch

/// Candidates of a tokens head. Their uniform numbers lead them through the tree of beginnings.
struct TokensChunks: UndecodedChunks {
  /// K uniform numbers for each chunk.
  private let numbers: [Float]
  /// The position of each chunk.
  private let positions: [Int]
  private let tree: BeginningTree

  /// - Parameters:
  ///   - noise: [count, K].
  ///   - positions: the position of each chunk in the tree.
  init(_ noise: Tensor, positions: [Int], tree: BeginningTree) {
    self.init(numbers: noise.to(.float32).elements(as: Float.self), positions: positions, tree: tree)
  }

  private init(numbers: [Float], positions: [Int], tree: BeginningTree) {
    (self.numbers, self.positions, self.tree) = (numbers, positions, tree)
  }

  var count: Int { positions.count }
  var chunkSize: Int { tree.chunkSize }
  var freeTokens: Int { 0 }

  func tokens(at places: [Int]) -> [Int32] {
    tree.tokens(
      of: places.map { (positions[$0 / chunkSize], $0 / chunkSize * chunkSize..<$0 + 1) }, numbers: numbers)
  }

  func latent(of chunk: Int) -> Tensor? { nil }

  func selecting(_ chunks: [Int]) -> Self {
    Self(
      numbers: chunks.flatMap { numbers[$0 * chunkSize..<($0 + 1) * chunkSize] },
      positions: chunks.map { positions[$0] }, tree: tree)
  }

  func joined(with others: [Self]) -> Self {
    Self(
      numbers: others.reduce(into: numbers) { $0 += $1.numbers },
      positions: others.reduce(into: positions) { $0 += $1.positions }, tree: tree)
  }
}

import CALMCorpus
import CALMSupport

/// The part of an evaluation that this process does, where several share it.
///
/// The random numbers of a block follow from the seed and the block's number, so that the figures do not depend on how
/// many processes there are.
public struct EvaluationShard {
  /// The number of this process, 0 ..< ``count``.
  public let rank: Int
  /// How many processes share the evaluation.
  public let count: Int
  /// The sums of figures over the processes.
  let sum: ([Double]) throws -> [Double]

  /// A share of an evaluation.
  ///
  /// - Parameter sum: adds up figures over the processes, all of which call it.
  public init(rank: Int, count: Int, sum: @escaping ([Double]) throws -> [Double]) {
    (self.rank, self.count, self.sum) = (rank, count, sum)
  }

  /// All of it.
  public static var whole: EvaluationShard { EvaluationShard(rank: 0, count: 1) { $0 } }

  /// The numbers of this process's blocks.
  func blocks(of total: Int) -> StrideTo<Int> { stride(from: rank, to: total, by: count) }

  /// A block's own seed.
  static func seed(_ seed: UInt64, block: Int) -> UInt64 { StableHash.combine(seed, UInt64(block)) }

  /// The values of all processes, which may have different numbers of them, by rank.
  func gathered(_ values: [Double]) throws -> [Double] {
    if count == 1 { return values }
    let counts = try sum((0..<count).map { $0 == rank ? Double(values.count) : 0 }).map(Int.init)
    let before = counts[..<rank].reduce(0, +)
    var all = [Double](repeating: 0, count: counts.reduce(0, +))
    if all.isEmpty { return [] }
    all.replaceSubrange(before..<before + values.count, with: values)
    return try sum(all)
  }
}

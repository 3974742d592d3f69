import CALMCorpus
import CALMSupport

/// The part of an evaluation that one of several processes computes.
///
/// The random numbers of a sequence depend only on the seed and its index, so the results do not depend on the number
/// of processes.
public struct EvaluationShard {
  /// The rank of this process, 0 ..< ``count``.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  /// Returns element-wise sums over the processes.
  let sum: ([Double]) throws -> [Double]

  /// The shard of one process.
  ///
  /// - Parameters:
  ///   - rank: the number of this process, from 0.
  ///   - count: the number of processes.
  ///   - sum: returns element-wise sums over the processes, all of which call it.
  public init(rank: Int, count: Int, sum: @escaping ([Double]) throws -> [Double]) {
    (self.rank, self.count, self.sum) = (rank, count, sum)
  }

  /// The whole evaluation, for a single process.
  public static var whole: EvaluationShard { EvaluationShard(rank: 0, count: 1) { $0 } }

  /// The indices of the sequences of this process.
  func sequences(of total: Int) -> StrideTo<Int> { stride(from: rank, to: total, by: count) }

  /// The seed of a sequence.
  static func seed(_ seed: UInt64, sequence: Int) -> UInt64 { StableHash.combine(seed, UInt64(sequence)) }

  /// The concatenated values of all processes, by rank. Their numbers may differ.
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

/// Candidates whose tokens are decoded one position at a time, and only if they can affect the choice.
///
/// `BatchTemperatureRule` needs only the chunks that enough candidates share, and no more candidates share a chunk than
/// share any of its prefixes. So at 1/T = n + α with n ≥ 2 the candidates are grouped by the tokens decoded so far, and
/// groups smaller than n are not decoded further. They are resumed only if no complete chunk occurs n times and the
/// rule falls back to smaller groups. If no two candidates are equal, all are equally likely and none is decoded
/// further. For n = 1 every candidate counts, and all are decoded.
///
/// With the same random numbers the choice equals that of full decoding.
///
/// ```swift
/// var pool = PrefixPool<Int32>(sampleCount: 200, length: 4, rule: rule)
/// while let pending = pool.pending {
///   pool.record(decode(position: pending.position, of: pending.samples))
/// }
/// let sample = pool.select(using: &generator)
/// ```
package struct PrefixPool<Token: Hashable & Sendable>: TokenwiseChoice, Sendable {
  /// Samples that agree in all decoded tokens. All samples of a group are decoded to the same position.
  private struct Group {
    /// Its samples, as indices of ``ordered``.
    let samples: Range<Int>
    /// The number of decoded tokens.
    let length: Int
  }

  /// The tokens to decode next; nil if the choice can be made.
  package private(set) var pending: PendingTokens?

  private let sampleCount: Int
  private let length: Int
  private let rule: BatchTemperatureRule
  private var groups: [Group]
  /// All samples, one group after the other, ascending in each.
  private var ordered: [Int]
  /// The decoded tokens, `length` for each sample.
  private var decoded: [Token?]

  /// The minimum size of a group that counts: n at first, smaller after the rule falls back.
  private var level: Int

  /// - Parameters:
  ///   - sampleCount: the number of samples, at least 1.
  ///   - length: the number of tokens per sample, at least 1.
  ///   - rule: the rule that chooses.
  package init(sampleCount: Int, length: Int, rule: BatchTemperatureRule) {
    precondition(sampleCount >= 1, "the choice needs at least 1 sample, got \(sampleCount)")
    precondition(length >= 1, "a sample needs at least 1 token, got \(length)")
    self.sampleCount = sampleCount
    self.length = length
    self.rule = rule
    self.level = rule.temperature.wholeExponent
    self.groups = [Group(samples: 0..<sampleCount, length: 0)]
    self.ordered = Array(0..<sampleCount)
    self.decoded = Array(repeating: nil, count: sampleCount * length)
    advance()
  }

  /// Stores the pending tokens, and determines which are pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  package mutating func record(_ tokens: [Token]) {
    guard let pending else { preconditionFailure("nothing is pending") }
    precondition(
      tokens.count == pending.samples.count, "\(pending.samples.count) tokens are pending, got \(tokens.count)")
    for (sample, token) in zip(pending.samples, tokens) { decoded[sample * length + pending.position] = token }
    let old = groups
    groups.removeAll(keepingCapacity: true)
    for group in old {
      if isOpen(group) && group.length == pending.position { split(group) } else { groups.append(group) }
    }
    advance()
  }

  /// Chooses a sample.
  ///
  /// - Precondition: nothing is pending.
  ///
  /// - Parameter generator: the source of randomness, which advances by one number.
  /// - Returns: the index of the first sample with the chosen chunk.
  package func select(using generator: inout some RandomNumberGenerator) -> Int {
    precondition(pending == nil, "tokens are still pending")
    let shared = groups.filter { isWhole($0) && $0.samples.count >= level }
    let candidates = (shared.isEmpty ? groups : shared).sorted { first(of: $0) < first(of: $1) }
    return first(of: candidates[rule.select(counts: candidates.map { $0.samples.count }, using: &generator)])
  }

  /// The fraction of all sets of n samples whose samples are equal.
  ///
  /// - Precondition: nothing is pending.
  package var agreement: Double {
    let size = rule.temperature.wholeExponent
    if level < size { return 0 }
    // C(count, n) / C(N, n).
    func share(_ count: Int) -> Double {
      (0..<size).reduce(1.0) { $0 * Double(count - $1) / Double(sampleCount - $1) }
    }
    return groups.filter { isWhole($0) && $0.samples.count >= size }.map { share($0.samples.count) }.reduce(0, +)
  }

  /// The decoded tokens of a sample. The chosen sample is decoded in part if no two samples are equal.
  package func tokens(of sample: Int) -> [Token] {
    decoded[sample * length..<(sample + 1) * length].prefix { $0 != nil }.compactMap { $0 }
  }

  private func first(of group: Group) -> Int { ordered[group.samples.lowerBound] }

  private func isWhole(_ group: Group) -> Bool { group.length == length }

  private func isOpen(_ group: Group) -> Bool { !isWhole(group) && group.samples.count >= level }

  /// Finds the shortest groups to decode, lowering the level while there are neither such groups nor complete ones.
  private mutating func advance() {
    while true {
      let open = groups.filter(isOpen)
      if let position = open.map({ $0.length }).min() {
        let samples = open.filter { $0.length == position }.flatMap { ordered[$0.samples] }
        pending = PendingTokens(position: position, samples: samples.sorted())
        return
      }
      pending = nil
      let largest = groups.map { $0.samples.count }.max() ?? 1
      if largest >= level || largest == 1 { return }
      level = largest
    }
  }

  /// Adds the parts of a group whose next tokens are equal.
  private mutating func split(_ group: Group) {
    let samples = Array(ordered[group.samples])
    var parts: [Token: Int] = [:]
    var counts: [Int] = []
    let part = samples.map { sample in
      guard let token = decoded[sample * length + group.length] else {
        preconditionFailure("sample \(sample) is not decoded")
      }
      let part = parts[token, default: counts.count]
      if part == counts.count {
        parts[token] = part
        counts.append(0)
      }
      counts[part] += 1
      return part
    }
    var ends: [Int] = []
    for count in counts {
      let start = ends.last ?? group.samples.lowerBound
      ends.append(start + count)
      groups.append(Group(samples: start..<start + count, length: group.length + 1))
    }
    var next = zip(ends, counts).map { $0 - $1 }
    for (sample, part) in zip(samples, part) {
      ordered[next[part]] = sample
      next[part] += 1
    }
  }
}

/// A pool of samples whose tokens are decoded one position at a time, and only where they can still change the choice.
///
/// Choosing from N whole chunks by `BatchTemperatureRule` needs only those chunks that enough others share, and a
/// chunk is shared by no more samples than any of its prefixes. So at 1/T = n + α with n ≥ 2 the samples are grouped
/// by the tokens decoded so far, and a group smaller than n waits. It is taken up again only where no whole chunk was
/// shared n times and the rule falls back to smaller groups; where nothing at all is shared every sample is as good as
/// another, and none needs more decoding. For n = 1 every sample counts and all are decoded.
///
/// With the same random numbers the choice is that of decoding everything.
///
/// ```swift
/// var pool = PrefixPool<Int32>(sampleCount: 200, length: 4, rule: rule)
/// while let pending = pool.pending {
///   pool.record(decode(position: pending.position, of: pending.samples))
/// }
/// let sample = pool.select(using: &generator)
/// ```
public struct PrefixPool<Token: Hashable & Sendable>: TokenwiseChoice, Sendable {
  /// Samples that agree in all tokens decoded of them so far. Those of one group have gone equally far.
  private struct Group {
    var tokens: [Token]
    /// In ascending order.
    var samples: [Int]
  }

  /// What must be decoded now; nil when the choice can be made.
  public private(set) var pending: PendingTokens?

  private let sampleCount: Int
  private let length: Int
  private let rule: BatchTemperatureRule
  private var groups: [Group]

  /// The size from which groups count: n at first, less after the rule fell back.
  private var level: Int

  /// - Parameters:
  ///   - sampleCount: the samples in the pool, at least 1.
  ///   - length: the tokens of each sample, at least 1.
  ///   - rule: the rule that chooses.
  public init(sampleCount: Int, length: Int, rule: BatchTemperatureRule) {
    precondition(sampleCount >= 1, "a pool needs at least 1 sample, got \(sampleCount)")
    precondition(length >= 1, "a sample needs at least 1 token, got \(length)")
    self.sampleCount = sampleCount
    self.length = length
    self.rule = rule
    self.level = rule.temperature.wholeExponent
    self.groups = [Group(tokens: [], samples: Array(0..<sampleCount))]
    advance()
  }

  /// Takes the tokens that were pending, and finds what is pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  public mutating func record(_ tokens: [Token]) {
    guard let pending else { preconditionFailure("nothing is pending") }
    precondition(
      tokens.count == pending.samples.count, "\(pending.samples.count) tokens are pending, got \(tokens.count)")
    var decoded = [Token?](repeating: nil, count: sampleCount)
    for (sample, token) in zip(pending.samples, tokens) { decoded[sample] = token }
    groups = groups.flatMap { group in
      isOpen(group) && group.tokens.count == pending.position ? split(group, by: decoded) : [group]
    }
    advance()
  }

  /// Chooses a sample; nothing may be pending.
  ///
  /// - Parameter generator: the randomness of the choice; one number is drawn from it.
  /// - Returns: the index of the first sample that has the chunk chosen.
  public func select(using generator: inout some RandomNumberGenerator) -> Int {
    precondition(pending == nil, "tokens are still pending")
    let shared = groups.filter { isWhole($0) && $0.samples.count >= level }
    let candidates = (shared.isEmpty ? groups : shared).sorted { $0.samples[0] < $1.samples[0] }
    return candidates[rule.select(counts: candidates.map(\.samples.count), using: &generator)].samples[0]
  }

  /// How many of all sets of n samples agree; nothing may be pending.
  public var agreement: Double {
    let size = rule.temperature.wholeExponent
    if level < size { return 0 }
    // C(count, n) / C(N, n).
    func share(_ count: Int) -> Double {
      (0..<size).reduce(1.0) { $0 * Double(count - $1) / Double(sampleCount - $1) }
    }
    return groups.filter { isWhole($0) && $0.samples.count >= size }.map { share($0.samples.count) }.reduce(0, +)
  }

  /// The tokens decoded of a sample. The sample chosen lacks some where no two samples of the pool are equal.
  public func tokens(of sample: Int) -> [Token] {
    guard let group = groups.first(where: { $0.samples.contains(sample) }) else {
      preconditionFailure("there is no sample \(sample)")
    }
    return group.tokens
  }

  private func isWhole(_ group: Group) -> Bool { group.tokens.count == length }

  private func isOpen(_ group: Group) -> Bool { !isWhole(group) && group.samples.count >= level }

  /// Finds the shortest groups still to be decoded, lowering the level while there are neither such nor whole ones.
  private mutating func advance() {
    while true {
      let open = groups.filter(isOpen)
      if let position = open.map(\.tokens.count).min() {
        let samples = open.filter { $0.tokens.count == position }.flatMap(\.samples)
        pending = PendingTokens(position: position, samples: samples.sorted())
        return
      }
      pending = nil
      let largest = groups.map(\.samples.count).max() ?? 1
      if largest >= level || largest == 1 { return }
      level = largest
    }
  }

  private func split(_ group: Group, by decoded: [Token?]) -> [Group] {
    var slots: [Token: Int] = [:]
    var parts: [Group] = []
    for sample in group.samples {
      guard let token = decoded[sample] else { preconditionFailure("sample \(sample) was not decoded") }
      let slot = slots[token, default: parts.count]
      if slot == parts.count {
        slots[token] = slot
        parts.append(Group(tokens: group.tokens + [token], samples: [sample]))
      } else {
        parts[slot].samples.append(sample)
      }
    }
    return parts
  }
}

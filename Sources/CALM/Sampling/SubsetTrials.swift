import CALMCorpus

/// The choice of `BatchTemperatureRule` from the first few candidates, if they determine it.
///
/// At 1/T = n the rule chooses x with the weight C(c, n): the number of sets of n candidates that all equal x. The same
/// choice results from trying random sets of n candidates, one after the other, until the candidates of a set are
/// equal: every set of equal candidates is equally likely to be tried first. For 200 candidates with an outcome of
/// probability ½, about four pairs suffice, and candidates that no set contains need not be sampled.
///
/// The number of sets must not depend on their content. If no set agrees, the rule decides on all candidates; the
/// distribution of the choice, given the candidates, is that of the rule in either case. As in `PrefixPool`, the
/// candidates of a set are decoded token by token, and no further once two differ.
///
/// ```swift
/// var trials = SubsetTrials<Int32>(candidateCount: 200, length: 4, temperature: temperature)
/// trials.add(8, using: &generator)  // names at most 8·n candidates
/// trials.open(2)  // compares the first two sets, of at most 2·n candidates
/// while let pending = trials.pending {
///   trials.record(decode(position: pending.position, of: pending.samples))
/// }
/// if let sample = trials.agreed { … }
/// ```
package struct SubsetTrials<Token: Hashable & Sendable>: TokenwiseChoice, Sendable {
  /// The tokens to decode next; nil if all sets tried so far are compared.
  package private(set) var pending: PendingTokens?

  /// A sample of the first set whose samples are equal; nil if there is none yet.
  package private(set) var agreed: Int?

  /// The number of samples in the sets. Samples are numbered in the order in which the sets first contain them.
  package var sampleCount: Int { candidates.count }

  /// A set of candidates to compare.
  private struct TrialSet {
    /// Its samples, as indices of ``members``.
    let samples: Range<Int>
    /// The number of samples in this set and those before it.
    let named: Int
    /// The number of tokens in which the samples agree.
    var agreeing = 0
  }

  private let candidateCount: Int
  private let length: Int
  private let setSize: Int
  /// The candidate of each sample.
  private var candidates: [Int] = []
  /// The decoded tokens, `length` for each sample.
  private var decoded: [Token?] = []
  /// The samples of all sets, one set after the other.
  private var members: [Int] = []
  /// The sets that are not opened yet.
  private var closed: ArraySlice<TrialSet> = []
  /// The opened sets whose samples agree in all compared tokens, in the order of their trial.
  private var opened: [TrialSet] = []

  /// Whether sets of equal samples make the choice at a temperature: 1/T is an integer of at least 2.
  package static func isSupported(at temperature: Temperature) -> Bool {
    temperature.wholeExponent >= 2 && temperature.fractionalExponent == 0
  }

  /// - Parameters:
  ///   - candidateCount: N, at least n.
  ///   - length: the number of tokens per candidate, at least 1.
  ///   - temperature: a supported temperature.
  package init(candidateCount: Int, length: Int, temperature: Temperature) {
    precondition(Self.isSupported(at: temperature), "temperature \(temperature.value) is not supported")
    precondition(
      candidateCount >= temperature.wholeExponent,
      "\(candidateCount) candidates have no subset of \(temperature.wholeExponent)")
    precondition(length >= 1, "a candidate needs at least 1 token, got \(length)")
    (self.candidateCount, self.length, setSize) = (candidateCount, length, temperature.wholeExponent)
  }

  /// Adds sets to try, unless one has agreed.
  ///
  /// - Parameters:
  ///   - count: the number of sets, which must not depend on the candidates.
  ///   - generator: the source of randomness for the sets.
  package mutating func add(_ count: Int, using generator: inout some RandomNumberGenerator) {
    if agreed != nil { return }
    for _ in 0..<count { closed.append(TrialSet(samples: randomSet(using: &generator), named: sampleCount)) }
  }

  /// Opens the next sets: their samples are compared. The result does not depend on how many are opened at once.
  ///
  /// - Precondition: nothing is pending.
  package mutating func open(_ count: Int) {
    precondition(pending == nil, "tokens are still pending")
    if agreed != nil { return }
    opened += closed.prefix(count)
    closed = closed.dropFirst(count)
    advance()
  }

  /// The number of samples in the next sets and those before them.
  package func sampleCount(opening count: Int) -> Int { closed.prefix(count).last?.named ?? 0 }

  /// The number of samples up to the set that agreed: those on which the choice depends.
  package var neededSamples: Int { opened.first?.named ?? 0 }

  /// Stores the pending tokens, and determines which are pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  package mutating func record(_ tokens: [Token]) {
    guard let pending else { preconditionFailure("nothing is pending") }
    precondition(
      tokens.count == pending.samples.count, "\(pending.samples.count) tokens are pending, got \(tokens.count)")
    for (sample, token) in zip(pending.samples, tokens) { decoded[sample * length + pending.position] = token }
    advance()
  }

  /// The decoded tokens of a sample; all of them for `agreed`.
  package func tokens(of sample: Int) -> [Token] {
    decoded[sample * length..<(sample + 1) * length].prefix { $0 != nil }.compactMap { $0 }
  }

  /// Names the samples of a set of random candidates.
  private mutating func randomSet(using generator: inout some RandomNumberGenerator) -> Range<Int> {
    var set: [Int] = []
    while set.count < setSize {
      let candidate = generator.uniform(below: candidateCount)
      if !set.contains(candidate) { set.append(candidate) }
    }
    for candidate in set.sorted() {
      members.append(candidates.firstIndex(of: candidate) ?? candidates.count)
      if members.last == candidates.count {
        candidates.append(candidate)
        decoded.append(contentsOf: repeatElement(nil, count: length))
      }
    }
    return members.count - setSize..<members.count
  }

  /// Compares the decoded tokens, drops the sets that differ, and finds the shortest samples of the others.
  private mutating func advance() {
    opened = opened.compactMap(compared)
    // Sets tried after one that has agreed are irrelevant.
    if let settled = opened.firstIndex(where: { $0.agreeing == length }) { opened.removeSubrange((settled + 1)...) }
    pending = nil
    if let first = opened.first, first.agreeing == length {
      agreed = members[first.samples.lowerBound]
    } else if let position = opened.map({ $0.agreeing }).min() {
      var isPending = Array(repeating: false, count: sampleCount)
      for set in opened where set.agreeing == position {
        for member in set.samples where decoded[members[member] * length + position] == nil {
          isPending[members[member]] = true
        }
      }
      pending = PendingTokens(position: position, samples: isPending.indices.filter { isPending[$0] })
    }
  }

  /// A set after comparing its decoded tokens; nil if they differ.
  private func compared(_ set: TrialSet) -> TrialSet? {
    var set = set
    while set.agreeing < length, let token = decoded[members[set.samples.lowerBound] * length + set.agreeing] {
      for member in set.samples.dropFirst() {
        guard let other = decoded[members[member] * length + set.agreeing] else { return set }
        if other != token { return nil }
      }
      set.agreeing += 1
    }
    return set
  }
}

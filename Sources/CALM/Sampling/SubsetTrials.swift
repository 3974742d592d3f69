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
  package var sampleCount: Int { decoded.count }

  /// A set of candidates to compare.
  private struct TrialSet {
    let samples: [Int]
    /// The number of samples in this set and those before it.
    let named: Int
    /// The number of tokens in which the samples agree.
    var agreeing = 0
  }

  private let candidateCount: Int
  private let length: Int
  private let setSize: Int
  /// The number of each candidate that is in a set.
  private var numbers: [Int: Int] = [:]
  /// The decoded tokens of each sample.
  private var decoded: [[Token]] = []
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
    for (sample, token) in zip(pending.samples, tokens) { decoded[sample].append(token) }
    advance()
  }

  /// The decoded tokens of a sample; all of them for `agreed`.
  package func tokens(of sample: Int) -> [Token] { decoded[sample] }

  private mutating func randomSet(using generator: inout some RandomNumberGenerator) -> [Int] {
    var places: Set<Int> = []
    while places.count < setSize { places.insert(generator.uniform(below: candidateCount)) }
    return places.sorted().map { place in
      if let number = numbers[place] { return number }
      numbers[place] = decoded.count
      decoded.append([])
      return decoded.count - 1
    }
  }

  /// Compares the decoded tokens, drops the sets that differ, and finds the shortest samples of the others.
  private mutating func advance() {
    opened = opened.compactMap { set in
      let first = decoded[set.samples[0]]
      var set = set
      while set.samples.allSatisfy({ decoded[$0].count > set.agreeing }) {
        if !set.samples.allSatisfy({ decoded[$0][set.agreeing] == first[set.agreeing] }) { return nil }
        set.agreeing += 1
      }
      return set
    }
    // Sets tried after one that has agreed are irrelevant.
    if let settled = opened.firstIndex(where: { $0.agreeing == length }) { opened.removeSubrange((settled + 1)...) }
    pending = nil
    if let first = opened.first, first.agreeing == length {
      agreed = first.samples[0]
    } else if let position = opened.map(\.agreeing).min() {
      let samples = Set(
        opened.filter { $0.agreeing == position }.flatMap(\.samples).filter { decoded[$0].count == position })
      pending = PendingTokens(position: position, samples: samples.sorted())
    }
  }
}

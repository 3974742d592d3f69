import CALMCorpus

/// The choice of `BatchTemperatureRule` from the first few draws of a pool, where they settle it.
///
/// At 1/T = n the rule chooses x with the weight C(c, n): as many as there are sets of n draws of the pool that are all
/// x. So it is also made by trying sets of n draws at random, one after the other, until the draws of one agree: any of the
/// sets that agree is as likely as any other to be met first. A pool of 200 with an outcome of probability ½ is settled
/// by some four pairs, and draws that no set has asked for need not be made.
///
/// How many sets are tried must not depend on what they show. If none agrees, the rule decides on the whole pool; then
/// too, given the pool, the law of the choice is the rule's. As in `PrefixPool`, the draws of a set are decoded token by
/// token, and no further once two differ.
///
/// ```swift
/// var trials = SubsetTrials<Int32>(poolSize: 200, length: 4, temperature: temperature)
/// trials.add(8, using: &generator)  // names at most 8·n draws
/// while let pending = trials.pending {
///   trials.record(decode(position: pending.position, of: pending.samples))
/// }
/// if let draw = trials.agreed { … }
/// ```
public struct SubsetTrials<Token: Hashable & Sendable>: TokenwiseChoice, Sendable {
  /// The tokens to decode next; nil when all sets tried so far are settled.
  public private(set) var pending: PendingTokens?

  /// A draw of the first set whose draws agree in all tokens; nil where there is none yet.
  public private(set) var agreed: Int?

  /// How many draws the sets name: 0 ..< this, numbered as they are first named.
  public var drawCount: Int { decoded.count }

  private let poolSize: Int
  private let length: Int
  private let setSize: Int
  /// The number of each draw of the pool that was named.
  private var numbers: [Int: Int] = [:]
  /// The tokens of each draw, as far as they are decoded.
  private var decoded: [[Token]] = []
  /// The sets whose draws agree as far as they were compared, in the order of their trial.
  private var open: [(draws: [Int], agreeing: Int)] = []

  /// Whether the choice at a temperature is one among sets of equal draws: 1/T is whole, and at least 2.
  public static func serve(_ temperature: Temperature) -> Bool {
    temperature.wholeExponent >= 2 && temperature.fractionalExponent == 0
  }

  /// - Parameters:
  ///   - poolSize: N, the draws of the whole pool, at least n.
  ///   - length: the tokens of each draw, at least 1.
  ///   - temperature: one that is served.
  public init(poolSize: Int, length: Int, temperature: Temperature) {
    precondition(Self.serve(temperature), "there are no sets of equal draws at temperature \(temperature.value)")
    precondition(
      poolSize >= temperature.wholeExponent, "a pool of \(poolSize) has no \(temperature.wholeExponent) draws")
    precondition(length >= 1, "a draw needs at least 1 token, got \(length)")
    (self.poolSize, self.length, setSize) = (poolSize, length, temperature.wholeExponent)
  }

  /// Tries more sets, unless one has agreed; nothing may be pending.
  ///
  /// - Parameters:
  ///   - count: how many, a number that does not depend on any draw of this pool.
  ///   - generator: the randomness of the sets.
  public mutating func add(_ count: Int, using generator: inout some RandomNumberGenerator) {
    precondition(pending == nil, "tokens are still pending")
    if agreed != nil { return }
    for _ in 0..<count { open.append((randomSet(using: &generator), 0)) }
    advance()
  }

  /// Takes the tokens that were pending, and finds what is pending next.
  ///
  /// - Parameter tokens: one token for each of `pending.samples`, in their order.
  public mutating func record(_ tokens: [Token]) {
    guard let pending else { preconditionFailure("nothing is pending") }
    precondition(
      tokens.count == pending.samples.count, "\(pending.samples.count) tokens are pending, got \(tokens.count)")
    for (draw, token) in zip(pending.samples, tokens) { decoded[draw].append(token) }
    advance()
  }

  /// The tokens decoded of a draw; all of them of the one that `agreed`.
  public func tokens(of draw: Int) -> [Token] { decoded[draw] }

  private mutating func randomSet(using generator: inout some RandomNumberGenerator) -> [Int] {
    var places: Set<Int> = []
    while places.count < setSize { places.insert(generator.uniform(below: poolSize)) }
    return places.sorted().map { place in
      if let number = numbers[place] { return number }
      numbers[place] = decoded.count
      decoded.append([])
      return decoded.count - 1
    }
  }

  /// Compares what is decoded, drops the sets that part, and finds the shortest draws of the others.
  private mutating func advance() {
    open = open.compactMap { set in
      let first = decoded[set.draws[0]]
      var agreeing = set.agreeing
      while set.draws.allSatisfy({ decoded[$0].count > agreeing }) {
        if !set.draws.allSatisfy({ decoded[$0][agreeing] == first[agreeing] }) { return nil }
        agreeing += 1
      }
      return (set.draws, agreeing)
    }
    // Those tried after one that has agreed do not matter any more.
    if let settled = open.firstIndex(where: { $0.agreeing == length }) { open.removeSubrange((settled + 1)...) }
    pending = nil
    if let first = open.first, first.agreeing == length {
      agreed = first.draws[0]
    } else if let position = open.map(\.agreeing).min() {
      let draws = Set(open.filter { $0.agreeing == position }.flatMap(\.draws).filter { decoded[$0].count == position })
      pending = PendingTokens(position: position, samples: draws.sorted())
    }
  }
}

import Testing

/// A categorical distribution with known probabilities and a fast sampler (Walker's alias method).
struct KnownCategorical: Sendable {
  let name: String
  let probabilities: [Double]
  private let thresholds: [Double]
  private let aliases: [Int]

  init(_ name: String, weights: [Double]) {
    let total = weights.reduce(0, +)
    let probabilities = weights.map { $0 / total }
    var thresholds = probabilities.map { $0 * Double(weights.count) }
    var aliases = Array(weights.indices)
    var small = thresholds.indices.filter { thresholds[$0] < 1 }
    var large = thresholds.indices.filter { thresholds[$0] >= 1 }
    while let low = small.popLast(), let high = large.popLast() {
      aliases[low] = high
      thresholds[high] -= 1 - thresholds[low]
      if thresholds[high] < 1 { small.append(high) } else { large.append(high) }
    }
    for rest in small { thresholds[rest] = 1 }
    self.name = name
    self.probabilities = probabilities
    self.thresholds = thresholds
    self.aliases = aliases
  }

  func draw(using generator: inout some RandomNumberGenerator) -> Int {
    let index = Int.random(in: 0..<thresholds.count, using: &generator)
    return Double.random(in: 0..<1, using: &generator) < thresholds[index] ? index : aliases[index]
  }

  static let threeOutcomes = KnownCategorical("0.5, 0.3, 0.2", weights: [5, 3, 2])
  static let nearlyCertain = KnownCategorical("0.96 and four of 0.01", weights: [96, 1, 1, 1, 1])
  static let uniform = KnownCategorical("uniform on 20", weights: [Double](repeating: 1, count: 20))

  /// p_k ∝ 1/k for k = 1 … 1,000, the shape of word frequencies: the first outcome has 13 %, the last 0.013 %.
  static let zipf = KnownCategorical("Zipf on 1,000", weights: (1...1_000).map { 1 / Double($0) })

  /// p_k ∝ 1/k² for k = 1 … 1,000: the first outcome has 61 %, the last 0.00006 %.
  static let steep = KnownCategorical("1/k² on 1,000", weights: (1...1_000).map { 1 / Double($0 * $0) })
}

extension KnownCategorical: CustomTestStringConvertible {
  var testDescription: String { name }
}

/// Half the sum of absolute differences.
func totalVariation(_ left: [Double], _ right: [Double]) -> Double {
  zip(left, right).reduce(0) { $0 + abs($1.0 - $1.1) } / 2
}

import Foundation

/// Pearson's chi-square test.
enum ChiSquare {
  /// The probability of a statistic at least as large if the counts come from `probabilities`.
  ///
  /// Outcomes with an expected count below 5 are merged into one bin, and that bin into the smallest other one if it
  /// is still below 5.
  static func pValue(counts: [Int], probabilities: [Double]) -> Double {
    let total = Double(counts.reduce(0, +))
    var bins: [(observed: Double, expected: Double)] = []
    var rest = (observed: 0.0, expected: 0.0)
    for (count, probability) in zip(counts, probabilities) {
      if probability * total >= 5 {
        bins.append((Double(count), probability * total))
      } else {
        rest.observed += Double(count)
        rest.expected += probability * total
      }
    }
    if rest.expected >= 5 {
      bins.append(rest)
    } else if rest.expected > 0, let smallest = bins.indices.min(by: { bins[$0].expected < bins[$1].expected }) {
      bins[smallest].observed += rest.observed
      bins[smallest].expected += rest.expected
    }
    let statistic = bins.reduce(0) { $0 + pow($1.observed - $1.expected, 2) / $1.expected }
    return survival(statistic, degreesOfFreedom: bins.count - 1)
  }

  /// The probability of a statistic at least as large if two samples of counts come from one distribution.
  ///
  /// Outcomes with fewer than 10 counts in total are merged into one bin.
  static func pValue(_ first: [Int], _ second: [Int]) -> Double {
    var bins: [(first: Double, second: Double)] = [(0, 0)]
    for (one, other) in zip(first, second) {
      if one + other >= 10 {
        bins.append((Double(one), Double(other)))
      } else {
        bins[0].first += Double(one)
        bins[0].second += Double(other)
      }
    }
    bins.removeAll { $0.first + $0.second == 0 }
    let ratio = (Double(second.reduce(0, +)) / Double(first.reduce(0, +))).squareRoot()
    let statistic = bins.reduce(0) { $0 + pow($1.first * ratio - $1.second / ratio, 2) / ($1.first + $1.second) }
    return survival(statistic, degreesOfFreedom: bins.count - 1)
  }

  /// P(X ≥ x) for a chi-square variable: the regularized upper incomplete gamma function Q(k/2, x/2).
  static func survival(_ statistic: Double, degreesOfFreedom: Int) -> Double {
    let shape = Double(degreesOfFreedom) / 2
    let x = statistic / 2
    guard x > 0, shape > 0 else { return 1 }
    let front = exp(shape * log(x) - x - logGamma(shape))
    if x < shape + 1 {
      var term = 1 / shape
      var sum = term
      var index = shape
      while term > sum * 1e-16 {
        index += 1
        term *= x / index
        sum += term
      }
      return 1 - front * sum
    }
    // Lentz's continued fraction.
    var b = x + 1 - shape
    var c = 1e300
    var d = 1 / b
    var fraction = d
    for i in 1...100_000 {
      let a = -Double(i) * (Double(i) - shape)
      b += 2
      d = 1 / (a * d + b)
      c = b + a / c
      fraction *= d * c
      if abs(d * c - 1) < 1e-15 { break }
    }
    return front * fraction
  }

  /// log Γ(x) for x > 0 by Stirling's series, shifted to arguments above 10.
  static func logGamma(_ x: Double) -> Double {
    var x = x
    var shift = 0.0
    while x < 10 {
      shift += log(x)
      x += 1
    }
    let inverse = 1 / (x * x)
    let series = (1.0 / 12 - inverse * (1.0 / 360 - inverse * (1.0 / 1_260 - inverse / 1_680))) / x
    return (x - 0.5) * log(x) - x + 0.5 * log(2 * Double.pi) + series - shift
  }
}

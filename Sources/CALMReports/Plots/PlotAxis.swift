import Foundation

/// A range of values with ticks at round numbers.
struct PlotAxis {
  let lower: Double
  let upper: Double
  let ticks: [Double]
  let isLogarithmic: Bool

  init(_ values: [Double], isLogarithmic: Bool) {
    self.isLogarithmic = isLogarithmic
    let (least, most) = (values.min() ?? (isLogarithmic ? 1 : 0), values.max() ?? (isLogarithmic ? 10 : 1))
    if isLogarithmic {
      // Ticks at 1, 2 and 5 times each power of ten.
      let marks = (Int(log10(least).rounded(.down)) - 1...Int(log10(most).rounded(.up)) + 1).flatMap { power in
        [1, 2, 5].map { $0 * pow(10, Double(power)) }
      }
      lower = marks.last { $0 <= least } ?? least
      upper = marks.first { $0 >= most && $0 > (marks.last { $0 <= least } ?? least) } ?? most
      let (from, to) = (lower, upper)
      let inside = marks.filter { $0 >= from && $0 <= to }
      ticks = inside.count > 8 ? inside.filter { "\($0)".hasPrefix("1") } : inside
    } else {
      let range = most > least ? most - least : max(abs(most), 1)
      let rough = range / 5
      let power = pow(10, log10(rough).rounded(.down))
      let step = power * ([1, 2, 5].first { $0 * power >= rough } ?? 10)
      let first = (least / step).rounded(.down)
      let last = max(first + 1, (most / step).rounded(.up))
      (lower, upper) = (first * step, last * step)
      ticks = (0...Int(last - first)).map { (first + Double($0)) * step }
    }
  }

  /// The position of a value between the ends, from 0 to 1, clamped.
  func fraction(_ value: Double) -> Double {
    let fraction = isLogarithmic ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
    return min(1, max(0, fraction))
  }

  static func label(_ value: Double) -> String {
    switch abs(value) {
    case 1e4..<1e6: String(format: "%gk", value / 1e3)
    case 1e6..<1e9: String(format: "%gM", value / 1e6)
    case 1e9...: String(format: "%.0e", value)
    default: String(format: "%g", value)
    }
  }
}

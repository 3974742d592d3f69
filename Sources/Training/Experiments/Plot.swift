import Foundation

/// A plot of series of points, as an SVG picture.
public struct Plot: Sendable {
  /// Points of one colour under one name.
  public struct Series: Sendable {
    /// In the legend.
    public let name: String
    /// In order.
    public let points: [(x: Double, y: Double)]

    /// A series.
    public init(name: String, points: [(x: Double, y: Double)]) {
      (self.name, self.points) = (name, points)
    }
  }

  /// Above the plot.
  public let title: String
  /// Under the horizontal axis.
  public let xLabel: String
  /// Beside the vertical axis.
  public let yLabel: String
  /// What is plotted; points that are not finite, or not positive on a logarithmic axis, are left out.
  public let series: [Series]
  /// Whether the horizontal axis is logarithmic.
  public let isLogarithmic: Bool
  /// Whether a series' points are joined.
  public let hasLines: Bool

  /// A plot.
  public init(
    title: String, xLabel: String, yLabel: String, series: [Series], isLogarithmic: Bool = false, hasLines: Bool = true
  ) {
    (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
    (self.isLogarithmic, self.hasLines) = (isLogarithmic, hasLines)
    self.series = series.map { series in
      Series(
        name: series.name,
        points: series.points.filter { $0.x.isFinite && $0.y.isFinite && (!isLogarithmic || $0.x > 0) })
    }
  }

  private static let (width, height) = (760.0, 440.0)
  private static let (left, right, top, bottom) = (72.0, 220.0, 40.0, 56.0)
  private static let colours = [
    "#1b6ca8", "#d1495b", "#2a9d5c", "#8e5ea2", "#e09f3e", "#3d3d3d", "#00a6a6", "#a0522d", "#7f8c1f", "#e377c2",
  ]

  /// The picture.
  public var svg: String {
    let all = series.flatMap(\.points)
    let x = Axis(all.map(\.x), isLogarithmic: isLogarithmic)
    let y = Axis(all.map(\.y), isLogarithmic: false)
    func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (
        Self.left + x.share(point.x) * (Self.width - Self.left - Self.right),
        Self.height - Self.bottom - y.share(point.y) * (Self.height - Self.top - Self.bottom)
      )
    }
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" \
      font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>
      """,
      text(title, at: (Self.left, 24), size: 15),
      text(xLabel, at: ((Self.left + Self.width - Self.right) / 2, Self.height - 14), anchor: "middle"),
      """
      <text transform="translate(18 \((Self.top + Self.height - Self.bottom) / 2)) rotate(-90)" \
      text-anchor="middle">\(escaped(yLabel))</text>
      """,
    ]
    for tick in x.ticks {
      let at = place((tick, y.lower)).x
      parts.append(line((at, Self.top), (at, Self.height - Self.bottom)))
      parts.append(text(Axis.label(tick), at: (at, Self.height - Self.bottom + 18), anchor: "middle"))
    }
    for tick in y.ticks {
      let at = place((x.lower, tick)).y
      parts.append(line((Self.left, at), (Self.width - Self.right, at)))
      parts.append(text(Axis.label(tick), at: (Self.left - 8, at + 4), anchor: "end"))
    }
    for (index, series) in series.enumerated() {
      let colour = Self.colours[index % Self.colours.count]
      let places = series.points.map(place)
      if hasLines, places.count > 1 {
        let points = places.map { String(format: "%.1f,%.1f", $0.x, $0.y) }.joined(separator: " ")
        parts.append("<polyline points=\"\(points)\" fill=\"none\" stroke=\"\(colour)\" stroke-width=\"1.8\"/>")
      }
      for place in places where !hasLines || places.count < 40 {
        parts.append(
          String(format: "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"\(colour)\"/>", place.x, place.y))
      }
      let row = Self.top + 10 + Double(index) * 18
      parts.append(
        "<circle cx=\"\(Self.width - Self.right + 18)\" cy=\"\(row - 4)\" r=\"4\" fill=\"\(colour)\"/>")
      parts.append(text(series.name, at: (Self.width - Self.right + 28, row)))
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private func line(_ from: (Double, Double), _ to: (Double, Double)) -> String {
    String(
      format: "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#e3e3e3\"/>", from.0, from.1, to.0, to.1)
  }

  private func text(_ text: String, at: (Double, Double), anchor: String = "start", size: Int = 12) -> String {
    String(format: "<text x=\"%.1f\" y=\"%.1f\" ", at.0, at.1)
      + "text-anchor=\"\(anchor)\" font-size=\"\(size)\">\(escaped(text))</text>"
  }

  private func escaped(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}

/// A range of values with round marks in it.
private struct Axis {
  let lower: Double
  let upper: Double
  let ticks: [Double]
  let isLogarithmic: Bool

  init(_ values: [Double], isLogarithmic: Bool) {
    self.isLogarithmic = isLogarithmic
    let (least, most) = (values.min() ?? (isLogarithmic ? 1 : 0), values.max() ?? (isLogarithmic ? 10 : 1))
    if isLogarithmic {
      // Marks at 1, 2 and 5 of every power of ten.
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

  /// Where a value lies between the ends, 0 to 1.
  func share(_ value: Double) -> Double {
    isLogarithmic ? log(value / lower) / log(upper / lower) : (value - lower) / (upper - lower)
  }

  static func label(_ value: Double) -> String {
    abs(value) >= 1e5 ? String(format: "%.0e", value) : String(format: "%g", (value * 1e6).rounded() / 1e6)
  }
}

import Foundation

/// A plot of one or more series as an SVG image.
public struct LinePlot: Sendable {
  /// Points with a common name and color.
  public struct Series: Sendable {
    /// The name in the legend.
    public let name: String
    /// The points in order.
    public let points: [(x: Double, y: Double)]
    /// The range of values that each point represents, shown as a band clipped to the axis; empty for no band.
    let ranges: [ClosedRange<Double>]
    /// The words beside each point in a standalone image; empty for none.
    let labels: [String]

    /// Creates a series.
    ///
    /// - Parameter labels: the words beside each point in a standalone image; empty for none.
    public init(name: String, points: [(x: Double, y: Double)], labels: [String] = []) {
      self.init(name: name, points: points, labels: labels, ranges: [])
    }

    init(
      name: String, points: [(x: Double, y: Double)], labels: [String] = [], ranges: [ClosedRange<Double>]
    ) {
      precondition(
        ranges.isEmpty || ranges.count == points.count,
        "LinePlot.Series: there must be no ranges or one for each point")
      precondition(
        labels.isEmpty || labels.count == points.count,
        "LinePlot.Series: there must be no labels or one for each point")
      (self.name, self.points, self.labels, self.ranges) = (name, points, labels, ranges)
    }
  }

  /// The size of an image and of the margins around its axes, in units such that text is 12 high.
  struct Frame {
    let width, height, left, right, top, bottom: Double
    /// Whether the image includes title, labels and legend.
    let hasCaptions: Bool

    /// A standalone image.
    static let standalone = Frame(
      width: 760, height: 440, left: 72, right: 220, top: 40, bottom: 56, hasCaptions: true)
    /// Part of a page, which provides title, legend and style sheet.
    static let card = Frame(width: 400, height: 232, left: 46, right: 18, top: 8, bottom: 24, hasCaptions: false)
  }

  /// The title above the plot.
  public let title: String
  /// The label of the horizontal axis.
  public let xLabel: String
  /// The label of the vertical axis.
  public let yLabel: String
  /// The series, without points that are not finite or not positive on a logarithmic axis.
  public let series: [Series]
  /// Whether the horizontal axis is logarithmic.
  public let isLogarithmic: Bool

  /// Creates a plot.
  public init(
    title: String, xLabel: String, yLabel: String, series: [Series], isLogarithmic: Bool = false
  ) {
    (self.title, self.xLabel, self.yLabel, self.isLogarithmic) = (title, xLabel, yLabel, isLogarithmic)
    self.series = series.map { series in
      let shown = series.points.indices.filter {
        let point = series.points[$0]
        return point.x.isFinite && point.y.isFinite && (!isLogarithmic || point.x > 0)
      }
      return Series(
        name: series.name, points: shown.map { series.points[$0] },
        labels: series.labels.isEmpty ? [] : shown.map { series.labels[$0] },
        ranges: series.ranges.isEmpty ? [] : shown.map { series.ranges[$0] })
    }
  }

  /// The colors of the series, in order.
  static let colors = [
    "#1b6ca8", "#d1495b", "#2a9d5c", "#8e5ea2", "#e09f3e", "#3d3d3d", "#00a6a6", "#a0522d", "#7f8c1f", "#e377c2",
    "#6b4f2c", "#5b7fff",
  ]

  /// The horizontal axis.
  var xAxis: PlotAxis { PlotAxis(series.flatMap { $0.points.map(\.x) }, isLogarithmic: isLogarithmic) }
  /// The vertical axis.
  var yAxis: PlotAxis { PlotAxis(series.flatMap { $0.points.map(\.y) }, isLogarithmic: false) }

  /// The plot as a standalone SVG image.
  public var svg: String { svg(in: .standalone) }

  /// The plot as an SVG image. Each series is a group of class `series` with its index in `data-series`. The classes `back`
  /// and `grid` allow a style sheet to change the colors of background and grid.
  func svg(in frame: Frame) -> String {
    let (x, y) = (xAxis, yAxis)
    func place(_ point: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (
        frame.left + x.fraction(point.x) * (frame.width - frame.left - frame.right),
        frame.height - frame.bottom - y.fraction(point.y) * (frame.height - frame.top - frame.bottom)
      )
    }
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(frame.width)) \(Int(frame.height))" \
      font-family="sans-serif" font-size="12" role="img" aria-label="\(title.escapedForMarkup)">
      <rect class="back" width="100%" height="100%" fill="white"/>
      """
    ]
    if frame.hasCaptions {
      parts += [
        text(title, at: (frame.left, 24), size: 15),
        text(xLabel, at: ((frame.left + frame.width - frame.right) / 2, frame.height - 14), anchor: "middle"),
        """
        <text transform="translate(18 \((frame.top + frame.height - frame.bottom) / 2)) rotate(-90)" \
        text-anchor="middle">\(yLabel.escapedForMarkup)</text>
        """,
      ]
    }
    for tick in x.ticks {
      let at = place((tick, y.lower)).x
      parts.append(line((at, frame.top), (at, frame.height - frame.bottom)))
      parts.append(text(PlotAxis.label(tick), at: (at, frame.height - frame.bottom + 18), anchor: "middle"))
    }
    for tick in y.ticks {
      let at = place((x.lower, tick)).y
      parts.append(line((frame.left, at), (frame.width - frame.right, at)))
      parts.append(text(PlotAxis.label(tick), at: (frame.left - 8, at + 4), anchor: "end"))
    }
    for (index, series) in series.enumerated() {
      let color = Self.colors[index % Self.colors.count]
      parts.append("<g class=\"series\" data-series=\"\(index)\" color=\"\(color)\">")
      if !series.ranges.isEmpty {
        let lower = zip(series.points, series.ranges).map { place(($0.x, $1.lowerBound)) }
        let upper = zip(series.points, series.ranges).map { place(($0.x, $1.upperBound)) }
        parts.append(
          "<polygon points=\"\(list(lower + upper.reversed()))\" fill=\"currentColor\" fill-opacity=\"0.16\"/>")
      }
      let places = series.points.map(place)
      if places.count > 1 {
        parts.append(
          "<polyline points=\"\(list(places))\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.8\" stroke-linejoin=\"round\"/>"
        )
      }
      for place in places where places.count < 40 {
        parts.append(
          String(format: "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"currentColor\"/>", place.x, place.y))
      }
      if frame.hasCaptions {
        for (place, label) in zip(places, series.labels) {
          parts.append(text(label, at: (place.x + 6, place.y - 6), size: 10))
        }
        let row = frame.top + 10 + Double(index) * 18
        parts.append(
          "<circle cx=\"\(frame.width - frame.right + 18)\" cy=\"\(row - 4)\" r=\"4\" fill=\"currentColor\"/>")
        parts.append(text(series.name, at: (frame.width - frame.right + 28, row)))
      }
      parts.append("</g>")
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  private func list(_ places: [(x: Double, y: Double)]) -> String {
    places.map { String(format: "%.1f,%.1f", $0.x, $0.y) }.joined(separator: " ")
  }

  private func line(_ from: (Double, Double), _ to: (Double, Double)) -> String {
    String(
      format: "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#e3e3e3\"/>", from.0,
      from.1, to.0, to.1)
  }

  private func text(_ text: String, at: (Double, Double), anchor: String = "start", size: Int = 12) -> String {
    String(format: "<text x=\"%.1f\" y=\"%.1f\" ", at.0, at.1)
      + "text-anchor=\"\(anchor)\" font-size=\"\(size)\">\(text.escapedForMarkup)</text>"
  }
}

extension String {
  /// The text escaped for use as content or as a quoted attribute in HTML, XML or SVG.
  var escapedForMarkup: String {
    var escaped = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

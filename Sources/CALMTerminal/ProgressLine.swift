import Foundation

/// The content of a progress bar, and its layout for a given width.
package struct ProgressLine {
  /// The name of the work.
  package var label: String
  /// The amount done.
  package var completed: Int
  /// The amount of work; nil if unknown.
  package var total: Int?
  /// Metrics next to the bar.
  package var detail: String
  /// Seconds since the start.
  package var elapsed: Double
  /// The amount done at the start, by an earlier run.
  package var initial: Int

  /// A line with these values.
  package init(label: String, completed: Int, total: Int?, detail: String, elapsed: Double, initial: Int = 0) {
    (self.label, self.completed, self.total) = (label, completed, total)
    (self.detail, self.elapsed, self.initial) = (detail, elapsed, initial)
  }

  /// The fraction that is done, 0 to 1; nil without a total.
  package var fraction: Double? {
    guard let total, total > 0 else { return nil }
    return min(1, max(0, Double(completed) / Double(total)))
  }

  /// The estimated time for the rest at the average speed so far; nil while unknown.
  package var secondsLeft: Double? {
    guard let total, completed > initial, elapsed >= 1 else { return nil }
    return elapsed / Double(completed - initial) * Double(max(0, total - completed))
  }

  /// The line for a log: `label  40 %  detail  1:05 left`.
  package var plain: String {
    ([label, percentage] + [detail, time]).compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: "  ")
  }

  /// The line for a terminal, with a bar, in at most `columns` characters.
  ///
  /// If space is short, first the bar shrinks, then the detail is cut, then the label.
  package func drawn(columns: Int, unicode: Bool) -> String {
    let parts = [percentage, detail.isEmpty ? nil : detail, time].compactMap { $0 }
    let text = parts.joined(separator: "  ")
    guard let fraction else { return Self.cut("\(label)  \(text)", to: columns) }
    let room = columns - label.count - text.count - 4
    guard room >= Self.shortestBar else { return Self.cut("\(label)  \(text)", to: columns) }
    let length = min(room, Self.longestBar)
    let filled = Int(fraction * Double(length))
    let bar =
      String(repeating: unicode ? "█" : "#", count: filled)
      + String(repeating: unicode ? "░" : ".", count: length - filled)
    return "\(label)  \(bar)  \(text)"
  }

  private static let shortestBar = 5
  private static let longestBar = 30

  private var percentage: String? {
    fraction.map { fraction in
      let number = String(Int(fraction * 100))
      return String(repeating: " ", count: 3 - number.count) + number + " %"
    }
  }

  private var time: String? {
    if let secondsLeft { return Self.clock(secondsLeft) + " left" }
    return total == nil ? Self.clock(elapsed) : nil
  }

  private static func cut(_ line: String, to columns: Int) -> String {
    line.count <= columns ? line : String(line.prefix(max(0, columns)))
  }

  /// `0:07`, `12:30`, `3:05:00`.
  package static func clock(_ seconds: Double) -> String {
    let seconds = Int(seconds.rounded())
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    return hours > 0
      ? String(format: "%d:%02d:%02d", hours, minutes, rest) : String(format: "%d:%02d", minutes, rest)
  }
}

import CALMSupport
import Foundation

/// Shows the progress of long work on standard error.
///
///     let bar = ProgressBar(label: "training", total: steps)
///     for step in 1...steps { …; bar.update(completed: step, detail: "loss 3.21") }
///     bar.finish("trained \(steps) steps")
///
/// On a terminal it is one line, redrawn at most ten times a second. The cursor stays visible, so an interruption
/// leaves the terminal intact. Otherwise it prints plain lines: at the start, after each tenth of the work or half a
/// minute, and at the end.
///
/// Not safe for concurrent use.
package final class ProgressBar {
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private let isLive: Bool
  private var line: ProgressLine
  /// The amount at the first update, from which the speed is computed.
  private var initial: Int?
  private var lastDrawn: ContinuousClock.Instant?
  private var lastFraction = 0.0
  private var isOnScreen = false
  private var isFinished = false

  /// Shows a bar.
  ///
  /// - Parameters:
  ///   - label: the name of the work.
  ///   - total: the amount of work, in any unit; nil if unknown.
  package init(label: String, total: Int?) {
    start = clock.now
    isLive = Terminal.isLive
    line = ProgressLine(label: label, completed: 0, total: total, detail: "", elapsed: 0)
    if !isLive { StandardError.note("\(label) …") }
    draw(at: start)
  }

  deinit { if !isFinished { erase() } }

  /// Updates the amount done since the beginning of the work.
  ///
  /// A call between two redraws is cheap: `detail` is evaluated only for a redraw.
  package func update(completed: Int, detail: @autoclosure () -> String = "") {
    let now = clock.now
    // At the first update, an earlier run may have done a part.
    if initial == nil { initial = completed > 1 ? completed : 0 }
    line.completed = completed
    guard isDue(now) else { return }
    line.detail = detail()
    draw(at: now)
  }

  /// Removes the bar, and prints `result` in its place if given.
  package func finish(_ result: String? = nil) {
    guard !isFinished else { return }
    isFinished = true
    erase()
    if let result { StandardError.note(result) }
  }

  /// Prints a permanent line above the bar.
  package func note(_ text: String) {
    erase()
    StandardError.note(text)
    if isLive && !isFinished { draw(at: clock.now) }
  }

  private func isDue(_ now: ContinuousClock.Instant) -> Bool {
    guard let lastDrawn else { return true }
    if isLive { return now - lastDrawn >= .milliseconds(100) }
    let further = (line.fraction ?? 0) - lastFraction >= 0.1
    return now - lastDrawn >= (further ? .seconds(2) : .seconds(30))
  }

  private func draw(at now: ContinuousClock.Instant) {
    lastDrawn = now
    lastFraction = line.fraction ?? 0
    line.elapsed = (now - start).seconds
    line.initial = initial ?? 0
    if isLive {
      // The last column stays empty: some terminals wrap as soon as it is filled. A single write that clears the rest
      // of the line avoids flicker.
      StandardError.write(
        "\r" + line.drawn(columns: Terminal.columns - 1, unicode: Terminal.showsUnicode) + "\u{1B}[K")
      isOnScreen = true
    } else if now != start {
      StandardError.note(line.plain)
    }
  }

  private func erase() {
    if isOnScreen { StandardError.write("\r\u{1B}[K") }
    isOnScreen = false
  }
}

import CALMSupport
import Foundation

/// Shows on standard error how far a long piece of work is.
///
///     let bar = ProgressBar(label: "training", total: steps)
///     for step in 1...steps { …; bar.update(completed: step, detail: "loss 3.21") }
///     bar.finish("trained \(steps) steps")
///
/// On a terminal it is one line that is drawn anew at most ten times a second; the cursor stays where it is and
/// visible, so that an interruption at any moment leaves the terminal as it was. Elsewhere it is a plain line at the
/// start, whenever a tenth more is done or half a minute has passed, and at the end.
///
/// Not for use by two threads at once.
package final class ProgressBar {
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private let isLive: Bool
  private var line: ProgressLine
  /// The amount that the first update reported, from which the speed is measured.
  private var initial: Int?
  private var lastDrawn: ContinuousClock.Instant?
  private var lastShare = 0.0
  private var isOnScreen = false
  private var isFinished = false

  /// Begins to show a piece of work.
  ///
  /// - Parameters:
  ///   - label: what is being done.
  ///   - total: how much there is to do, in any unit; nil where nobody knows.
  package init(label: String, total: Int?) {
    start = clock.now
    isLive = Terminal.isLive
    line = ProgressLine(label: label, completed: 0, total: total, detail: "", elapsed: 0)
    if !isLive { StandardError.note("\(label) …") }
    draw(at: start)
  }

  deinit { if !isFinished { erase() } }

  /// Tells how much is done, counted from the beginning of the work.
  ///
  /// Costs next to nothing when it is too early to draw again; `detail` is evaluated only when it is drawn.
  package func update(completed: Int, detail: @autoclosure () -> String = "") {
    let now = clock.now
    // What is done by the first update may be what an earlier run did.
    if initial == nil { initial = completed > 1 ? completed : 0 }
    line.completed = completed
    guard isDue(now) else { return }
    line.detail = detail()
    draw(at: now)
  }

  /// Takes the bar away, and leaves a line of result in its place where one is given.
  package func finish(_ result: String? = nil) {
    guard !isFinished else { return }
    isFinished = true
    erase()
    if let result { StandardError.note(result) }
  }

  /// Writes a line that stays, above the bar.
  package func note(_ text: String) {
    erase()
    StandardError.note(text)
    if isLive && !isFinished { draw(at: clock.now) }
  }

  private func isDue(_ now: ContinuousClock.Instant) -> Bool {
    guard let lastDrawn else { return true }
    if isLive { return now - lastDrawn >= .milliseconds(100) }
    let further = (line.share ?? 0) - lastShare >= 0.1
    return now - lastDrawn >= (further ? .seconds(2) : .seconds(30))
  }

  private func draw(at now: ContinuousClock.Instant) {
    lastDrawn = now
    lastShare = line.share ?? 0
    line.elapsed = (now - start).seconds
    line.initial = initial ?? 0
    if isLive {
      // The last column stays free: some terminals wrap as soon as it is filled. One write, and what the old line had
      // more is cleared behind the new one, so that nothing flickers.
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

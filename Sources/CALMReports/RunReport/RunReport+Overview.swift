import CALMTraining
import Foundation

extension RunReport {
  /// The runs' names and colours; each switches its curves on and off.
  var legend: String {
    guard runs.count > 1 else { return "" }
    let buttons = runs.enumerated().map { index, run in
      """
      <button type="button" aria-pressed="true" data-run="\(index)">\(Self.dot(index))\(run.name.escapedForMarkup)</button>
      """
    }
    return "<nav aria-label=\"Runs\">\n\(buttons.joined(separator: "\n"))\n</nav>"
  }

  /// A card for each run: its state and last figures.
  var overview: String {
    "<section class=\"cards\">\n" + runs.enumerated().map { card($0.offset, $0.element) }.joined(separator: "\n")
      + "\n</section>"
  }

  static func dot(_ index: Int) -> String {
    "<i class=\"dot\" style=\"background:\(LinePlot.colours[index % LinePlot.colours.count])\"></i>"
  }

  private func card(_ index: Int, _ run: Run) -> String {
    let summary = run.summary
    var figures: [(String, String)] = [("Steps", steps(of: summary))]
    if let loss = summary.loss { figures.append(("Loss", Self.figure(loss))) }
    for (key, value) in summary.evaluation.sorted(by: { $0.key < $1.key }) {
      figures.append((Self.name(of: key) + ", held out", value.map(Self.figure) ?? "not finite"))
    }
    if let speed = summary.tokensPerSecond { figures.append(("Tokens per second", Self.figure(speed))) }
    let rows = figures.map { "<div><dt>\($0.escapedForMarkup)</dt><dd>\($1.escapedForMarkup)</dd></div>" }
    let reason = summary.reason.map { "<p class=\"reason\">\($0.escapedForMarkup)</p>\n" } ?? ""
    return """
      <article>
      <h2>\(Self.dot(index))\(run.name.escapedForMarkup)</h2>
      <p><b class="\(summary.state.rawValue)">\(summary.state.rawValue)</b> \(summary.kind.escapedForMarkup), last heard of \
      \(Self.date(summary.updated))</p>
      \(reason)<dl>
      \(rows.joined(separator: "\n"))
      </dl>
      </article>
      """
  }

  private func steps(of summary: RunSummary) -> String {
    guard let total = summary.totalSteps else { return "\(summary.step)" }
    return summary.step == total ? "\(total)" : "\(summary.step) of \(total)"
  }

  /// What the runs' models wrote.
  var samples: String {
    let parts = runs.enumerated().filter { !$1.samples.isEmpty }.map { index, run in
      let texts = run.samples.map { sample in
        "<figure><blockquote>\(sample.text.escapedForMarkup)</blockquote><figcaption>\(sample.note.escapedForMarkup)</figcaption></figure>"
      }
      return "<h3>\(Self.dot(index))\(run.name.escapedForMarkup)</h3>\n\(texts.joined(separator: "\n"))"
    }
    return parts.isEmpty
      ? "" : "<section class=\"samples\">\n<h2>Samples</h2>\n\(parts.joined(separator: "\n"))\n</section>"
  }

  /// Every setting of every run; the rows in which runs differ are marked and stand first.
  var settings: String {
    var names: [String] = []
    var values: [String: [Int: String]] = [:]
    for (index, run) in runs.enumerated() {
      for (name, value) in run.settings {
        if values[name] == nil { names.append(name) }
        values[name, default: [:]][index] = value
      }
    }
    func isSame(_ name: String) -> Bool { runs.indices.allSatisfy { values[name]?[$0] == values[name]?[0] } }
    let rows = (names.filter { !isSame($0) } + names.filter(isSame)).map { name in
      let cells = runs.indices.map { values[name]?[$0] }
      let columns = cells.map { "<td>\(($0 ?? "").escapedForMarkup)</td>" }.joined()
      return
        "<tr\(isSame(name) ? "" : " class=\"differs\"")><th scope=\"row\">\(name.escapedForMarkup)</th>\(columns)</tr>"
    }
    let heads = runs.enumerated().map { "<th scope=\"col\">\(Self.dot($0))\($1.name.escapedForMarkup)</th>" }.joined()
    let choice =
      runs.count > 1 ? "<label><input type=\"checkbox\" id=\"differences\"> only what differs</label>\n" : ""
    return """
      <section class="settings">
      <h2>Settings</h2>
      \(choice)<div class="scroll" style="--runs:\(runs.count)"><table>
      <thead><tr><th></th>\(heads)</tr></thead>
      <tbody>
      \(rows.joined(separator: "\n"))
      </tbody>
      </table></div>
      </section>
      """
  }
}

import CALMTraining
import Foundation

/// A page that shows runs side by side: curves, settings, samples. One HTML file that needs no other and no network.
public struct RunReport {
  /// Text that a run's model wrote.
  public struct Sample: Sendable {
    /// The text.
    public let text: String
    /// What it was written with, such as `temperature 1/3`.
    public let note: String

    /// A sample.
    public init(text: String, note: String) {
      (self.text, self.note) = (text, note)
    }
  }

  struct Run {
    let name: String
    let summary: RunSummary
    let settings: [(name: String, value: String)]
    let metrics: MetricsHistory
    let samples: [Sample]
  }

  let runs: [Run]

  /// Reads the runs in some folders.
  ///
  /// - Parameter samples: what the model of a run wrote, by the run's folder.
  /// - Throws: ``TrainingError`` for a folder that holds no run.
  public init(_ folders: [URL], samples: [URL: [Sample]] = [:]) throws {
    let names = Self.names(of: folders)
    runs = try zip(folders, names).map { url, name in
      let folder = try RunFolder(opening: url)
      return Run(
        name: name, summary: try RunSummary(of: url), settings: try RunDescription(of: folder).settings,
        metrics: MetricsHistory(contentsOf: folder.metricsURL), samples: samples[url] ?? [])
    }
  }

  /// The page.
  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(title.escapedForMarkup)</title>
    <style>
    \(Self.style)
    </style>
    </head>
    <body>
    <header>
    <h1>\(title.escapedForMarkup)</h1>
    <p>\(Self.date(Date()))</p>
    </header>
    <main>
    \(legend)
    \(overview)
    \(charts)
    \(samples)
    \(settings)
    </main>
    <script>
    \(Self.script)
    </script>
    </body>
    </html>

    """
  }

  private var title: String { runs.count == 1 ? runs[0].name : "\(runs.count) runs" }

  /// The shortest ends of the folders' paths that tell them apart.
  static func names(of folders: [URL]) -> [String] {
    let paths = folders.map { $0.standardizedFileURL.pathComponents }
    return paths.map { path in
      let length = (1...path.count).first { length in
        paths.filter { $0.suffix(length) == path.suffix(length) }.count == 1
      }
      return path.suffix(length ?? path.count).joined(separator: "/")
    }
  }

  static func date(_ date: Date) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "d MMMM yyyy, HH:mm"
    return format.string(from: date)
  }

  /// A figure in four or five digits.
  static func figure(_ value: Double) -> String {
    switch abs(value) {
    case 1e4...: PlotAxis.label((value / 100).rounded() * 100)
    case 0, 1e-3...: String(format: "%.4g", value)
    default: String(format: "%.3g", value)
    }
  }
}

import Foundation

/// The results of an experiment as tables, with means over the seeds.
public struct ExperimentTable: Sendable {
  private let rows: [ExperimentRow]

  /// - Parameter rows: the rows.
  public init(_ rows: [ExperimentRow]) { self.rows = rows }

  private static let header = [
    "run", "kind", "K", "parameters", "training FLOPs", "training s", "FLOPs/token",
    "tokens/s, T = 1", "tokens/s, T = 1/2", "BrierLM", "standard error", "deviation over seeds",
    "cross-entropy", "correlation with BrierLM", "energy score", "head loss", "accuracy", "accuracy at noise 0.3",
  ]

  private var cells: [[String]] {
    rows.compactMap { row in
      guard let first = row.results.first else { return nil }
      func format(_ value: Double?, _ pattern: String) -> String { value.map { String(format: pattern, $0) } ?? "" }
      func mean(_ measure: (ExperimentResult) -> Double?, _ pattern: String) -> String {
        format(row.mean(measure), pattern)
      }
      func accuracy(_ noise: Double) -> String {
        mean({ $0.accuracy?.first { $0.noise == noise }?.accuracy }, "%.4f")
      }
      return [
        row.name, first.kind, "\(first.chunkSize)", "\(first.parameters)",
        mean({ $0.training.flops }, "%.3g"), mean(\.trainingSeconds, "%.0f"),
        mean({ $0.inferenceFlopsPerToken }, "%.3g"), mean({ $0.speed?.one }, "%.0f"), mean({ $0.speed?.half }, "%.0f"),
        mean({ $0.brierLM?.score }, "%.2f"), mean({ $0.brierLM?.scoreStandardError }, "%.2f"),
        format(row.deviationOverSeeds, "%.2f"),
        mean(\.crossEntropy, "%.4f"), mean(\.crossEntropyCorrelation, "%.3f"),
        mean(\.energyScore, "%.4f"), mean(\.headLoss, "%.4f"), accuracy(0), accuracy(0.3),
      ]
    }
  }

  /// Comma-separated values with a header. Cells with commas, quotes or line breaks are quoted.
  public var csv: String {
    ([Self.header] + cells).map { row in
      row.map { cell in
        cell.contains { ",\"\n".contains($0) } ? "\"\(cell.replacingOccurrences(of: "\"", with: "\"\""))\"" : cell
      }.joined(separator: ",") + "\n"
    }.joined()
  }

  /// A Markdown table.
  public var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    return line(Self.header) + line(Self.header.map { _ in "---" }) + cells.map(line).joined()
  }

  /// The contents of `NAME.csv` and `NAME.md`, by file name.
  func files(named name: String) -> [String: String] { ["\(name).csv": csv, "\(name).md": markdown] }
}

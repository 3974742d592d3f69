import CALMTerminal
import Foundation

/// A row of the table: one job, measured for this program and the official code.
struct BenchResult: Codable {
  let job: BenchJob
  /// Nil for jobs on text.
  let shape: String?
  let precision: String?
  /// Whether the official step was compiled with torch.compile.
  let isCompiled: Bool
  /// One measurement per turn.
  let ours: [BenchMeasurement]
  let official: [BenchMeasurement]
  /// The limits of the machine, measured in the same run; nil for jobs on text.
  let rates: MachineRates?
  let processor: String
  /// The most capable instructions that were used, such as AMX.
  let instructions: String
  let threads: Int
  let device: String
  let libtorch: String
  /// The date, such as 2026-11-21.
  let date: String

  /// Identifies the row: a new measurement replaces an earlier one with the same key.
  var key: String { [job.rawValue, shape ?? "", precision ?? "", "\(isCompiled)", device].joined(separator: " ") }

  var ourRate: Double { ours.map(\.tokensPerSecond).median }
  var ourPeak: Double { ours.map(\.peak).max() ?? 0 }
  var officialRate: Double? {
    official.isEmpty ? nil : official.map(\.tokensPerSecond).median
  }
  var officialPeak: Double? { official.map(\.peak).max() }
  var ratio: Double? { officialRate.map { ourRate / $0 } }

  /// The minimum time for the counted work at the rates of the machine, as a fraction of the measured time.
  var shareOfLimit: Double? {
    guard let rates, let first = ours.first else { return nil }
    let seconds = ours.map(\.secondsMedian).median
    let arithmetic = (first.operations ?? 0) / (rates.gigaflopsPerSecond * 1e9)
    let memory = (first.bytes ?? 0) / (rates.gigabytesPerSecond * 1e9)
    return max(arithmetic, memory) / seconds
  }
}

/// Rows, ordered by job, shape and precision.
struct BenchResults: Codable {
  var rows: [BenchResult] = []

  init(rows: [BenchResult] = []) { self.rows = rows }

  /// The rows in a file; nil if there is none.
  init?(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do { self = try decoder.decode(Self.self, from: data) } catch { throw BenchError.unreadable(path: path) }
  }

  /// Adds a row; it replaces an earlier one with the same key.
  mutating func add(_ row: BenchResult) {
    rows = rows.filter { $0.key != row.key } + [row]
    let order = BenchJob.allCases
    rows.sort {
      (order.firstIndex(of: $0.job) ?? 0, $0.shape ?? "", $0.precision ?? "", $0.isCompiled ? 1 : 0)
        < (order.firstIndex(of: $1.job) ?? 0, $1.shape ?? "", $1.precision ?? "", $1.isCompiled ? 1 : 0)
    }
  }

  private static func cells(_ row: BenchResult) -> [String] {
    func rate(_ value: Double) -> String { value < 100 ? String(format: "%.1f", value) : grouped(Int(value)) }
    func megabytes(_ value: Double) -> String { grouped(Int(value)) }
    return [
      row.job.title + (row.isCompiled ? ", official compiled" : ""), row.shape ?? "", row.precision ?? "",
      rate(row.ourRate), row.officialRate.map(rate) ?? "", row.ratio.map { String(format: "%.1f", $0) } ?? "",
      megabytes(row.ourPeak), row.officialPeak.map(megabytes) ?? "",
      row.shareOfLimit.map { String(format: "%.0f %%", 100 * $0) } ?? "",
    ]
  }

  private static let header = [
    "job", "shape", "precision", "tokens/s", "official", "ratio", "MiB", "official", "of the limit",
  ]

  /// Minimum and maximum; one number if they are equal.
  private static func range(_ values: [Double]) -> String {
    let bounds = [values.min(), values.max()].map { String(format: "%.0f", $0 ?? 0) }
    return bounds[0] == bounds[1] ? bounds[0] : bounds.joined(separator: "–")
  }

  /// The table as text for the terminal.
  var text: String {
    var table = Table(header: Self.header, alignments: [.left, .left, .left])
    for row in rows { table.append(Self.cells(row)) }
    return table.text
  }

  /// The table in Markdown, followed by machines and dates.
  var markdown: String {
    let lines =
      [Self.header, Self.header.indices.map { $0 < 3 ? "---" : "---:" }] + rows.map(Self.cells)
    let machines = Set(
      rows.map { row in
        "\(row.processor), \(row.instructions), \(row.threads) thread\(row.threads == 1 ? "" : "s"), \(row.device), "
          + "libtorch \(row.libtorch), \(row.date)"
      })
    let rates = Dictionary(grouping: rows.filter { $0.rates != nil }, by: { $0.precision ?? "" }).map { entry in
      let rates = entry.value.compactMap(\.rates)
      return "\(entry.key) \(Self.range(rates.map(\.gigaflopsPerSecond))) GFLOP/s, "
        + "\(Self.range(rates.map(\.gigabytesPerSecond))) GB/s"
    }
    return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined() + "\n"
      + machines.sorted().map { "Measured on: \($0).\n" }.joined()
      + "Rates measured with the rows: \(rates.sorted().joined(separator: "; ")).\n"
  }
}

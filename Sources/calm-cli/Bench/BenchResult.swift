import Foundation

/// A row of the table: one job, ours and the official code's.
struct BenchResult: Codable {
  let job: BenchJob
  /// Nil for jobs on text.
  let shape: String?
  let precision: String?
  /// Whether torch.compile made the official step.
  let isCompiled: Bool
  /// A measurement each turn.
  let ours: [BenchMeasurement]
  let official: [BenchMeasurement]
  /// The machine's limits, measured in the same run; nil for jobs on text.
  let rates: MachineRates?
  let processor: String
  let threads: Int
  let device: String
  let libtorch: String
  /// The day, as 2026-11-21.
  let date: String

  /// What the row is about: a new measurement takes the place of an older one.
  var key: String { [job.rawValue, shape ?? "", precision ?? "", "\(isCompiled)", device].joined(separator: " ") }

  var ourRate: Double { BenchMeasurement.median(ours.map(\.tokensPerSecond)) }
  var ourPeak: Double { ours.map(\.peakMib).max() ?? 0 }
  var officialRate: Double? {
    official.isEmpty ? nil : BenchMeasurement.median(official.map(\.tokensPerSecond))
  }
  var officialPeak: Double? { official.map(\.peakMib).max() }
  var ratio: Double? { officialRate.map { ourRate / $0 } }

  /// The least time that the machine's rates allow for the work counted, as a share of the time taken.
  var shareOfLimit: Double? {
    guard let rates, let first = ours.first else { return nil }
    let seconds = BenchMeasurement.median(ours.map(\.secondsMedian))
    let arithmetic = (first.operations ?? 0) / (rates.gigaflopsPerSecond * 1e9)
    let memory = (first.bytes ?? 0) / (rates.gigabytesPerSecond * 1e9)
    return max(arithmetic, memory) / seconds
  }
}

/// Rows in the order of jobs, shapes and precisions.
struct BenchResults: Codable {
  var rows: [BenchResult] = []

  /// Takes up new rows in the place of older ones about the same.
  mutating func add(_ new: [BenchResult]) {
    let keys = Set(new.map(\.key))
    rows = rows.filter { !keys.contains($0.key) } + new
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

  /// For a terminal.
  var text: String {
    var table = Table(header: Self.header, alignments: [.left, .left, .left])
    for row in rows { table.append(Self.cells(row)) }
    return table.text
  }

  /// For a document, with the machines and days of the rows.
  var markdown: String {
    let lines =
      [Self.header, Self.header.indices.map { $0 < 3 ? "---" : "---:" }] + rows.map(Self.cells)
    let machines = Set(
      rows.map { row in
        "\(row.processor), \(row.threads) thread\(row.threads == 1 ? "" : "s"), \(row.device), "
          + "libtorch \(row.libtorch), \(row.date)"
      })
    let rates = Set(
      rows.compactMap { row -> String? in
        guard let rates = row.rates, let precision = row.precision else { return nil }
        return String(
          format: "%@ %.0f GFLOP/s, %.0f GB/s", precision, rates.gigaflopsPerSecond, rates.gigabytesPerSecond)
      })
    return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined() + "\n"
      + machines.sorted().map { "Measured on: \($0).\n" }.joined()
      + "Rates measured between the rows: \(rates.sorted().joined(separator: "; ")).\n"
  }
}

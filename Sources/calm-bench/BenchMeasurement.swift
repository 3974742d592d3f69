import CALMSupport
import CALMTerminal
import Foundation

/// What one process measured of one job.
struct BenchMeasurement: Codable {
  let secondsMedian: Double
  let secondsMin: Double
  /// Tokens of a repetition.
  let tokens: Int
  let tokensPerSecond: Double
  /// The process's own peak of resident memory.
  var peakMib: Double
  /// Of a generation, the part of the time before the first chunk.
  var promptSeconds: Double?
  /// Operations of matrix products in a repetition, by the rule of `ModelCost`.
  var operations: Double?
  /// Bytes of weights and of keys and values that a repetition must read.
  var bytes: Double?
}

extension BenchMeasurement {
  /// Repeats some work.
  ///
  /// - Parameters:
  ///   - steps: repetitions, after those that warm up.
  ///   - tokens: of a repetition.
  ///   - body: a repetition.
  init(steps: Int, warmUp: Int, tokens: Int, label: String, body: () throws -> Void) rethrows {
    let bar = ProgressBar(label: label, total: steps + warmUp)
    var times: [Double] = []
    for step in 1...steps + warmUp {
      let start = ContinuousClock.now
      try body()
      if step > warmUp { times.append(start.duration(to: .now).seconds) }
      bar.update(completed: step)
    }
    bar.finish()
    let median = Self.median(times)
    self.init(
      secondsMedian: median, secondsMin: times.min() ?? median, tokens: tokens,
      tokensPerSecond: Double(tokens) / median, peakMib: Self.peakResidentMebibytes())
  }

  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  private static func peakResidentMebibytes() -> Double {
    // What getrusage tells may include what the parent process had when it started this one.
    if let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
      let kibibytes = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Double($0) })
    {
      return kibibytes / 1024
    }
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return Double(usage.ru_maxrss) / 1_048_576
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Double(usage.ru_maxrss) / 1024
    #endif
  }
}

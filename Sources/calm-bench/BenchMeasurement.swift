import CALMSupport
import CALMTerminal
import Foundation

/// A measurement of one job in one process.
struct BenchMeasurement: Codable {
  let secondsMedian: Double
  let secondsMin: Double
  /// Tokens per repetition.
  let tokens: Int
  let tokensPerSecond: Double
  /// The peak resident memory of the process.
  var peakMib: Double
  /// The peak memory of tensors on a GPU; nil on other devices.
  var peakDeviceMib: Double?
  /// The time before the first chunk of a generation.
  var promptSeconds: Double?
  /// Operations of matrix products per repetition, counted as in `ModelCost`.
  var operations: Double?
  /// Bytes of weights, keys and values that a repetition must read.
  var bytes: Double?
}

extension BenchMeasurement {
  /// The peak memory where it is scarce: on the GPU if there is one.
  var peak: Double { peakDeviceMib ?? peakMib }

  /// Times repetitions of some work.
  ///
  /// - Parameters:
  ///   - steps: the number of repetitions, excluding the warm-up.
  ///   - tokens: tokens per repetition.
  ///   - body: one repetition.
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
    let median = times.median
    self.init(
      secondsMedian: median, secondsMin: times.min() ?? median, tokens: tokens,
      tokensPerSecond: Double(tokens) / median, peakMib: Self.peakResidentMebibytes())
  }

  private static func peakResidentMebibytes() -> Double {
    // The value of getrusage may include the memory of the parent process at the time of the fork.
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

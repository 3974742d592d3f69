import CALMSupport
import Foundation

/// Why a temperature, or sampling at it, was refused.
public enum TemperatureError: DescribedError, Equatable {
  /// Text that is neither a decimal number nor a fraction.
  case notANumber(String)

  /// Zero, less, or no number.
  case notPositive(Double)

  /// A number outside (0, 1].
  case outOfRange(Double)

  /// A number in (0, 1] below `Temperature.minimum`.
  case tooSmall(Double)

  /// A pool that cannot hold the ⌈1/T⌉ draws which batch sampling combines.
  case poolTooSmall(pool: Int, minimum: Int, temperature: Double)

  /// Exact sampling spent its draws without accepting an outcome.
  ///
  /// - Parameters:
  ///   - draws: the draws spent, which is the limit.
  ///   - rounds: how often n equal draws were tried for.
  ///   - agreements: in how many of the rounds all n draws were equal. Zero says that the distribution is too spread
  ///     out for this temperature; more say that the fractional part kept rejecting.
  case drawLimitReached(draws: Int, rounds: Int, agreements: Int, temperature: Double)

  /// One line: what is wrong and what to do.
  public var description: String {
    switch self {
    case .notANumber(let text):
      "temperature must be a number such as 0.5 or a fraction such as 1/3, got '\(text)'"
    case .notPositive(let value):
      "temperature must be a finite number above 0, got \(Self.format(value))"
    case .outOfRange(let value):
      "temperature must be above 0 and at most 1, got \(Self.format(value))"
    case .tooSmall(let value):
      "temperature must be at least \(Self.format(Temperature.minimum)), got \(Self.format(value))"
    case .poolTooSmall(let pool, let minimum, let temperature):
      "a pool of \(pool) samples is too small for temperature \(Self.format(temperature)): "
        + "use at least \(minimum), better a hundred times as many"
    case .drawLimitReached(let draws, let rounds, let agreements, let temperature):
      "exact sampling at temperature \(Self.format(temperature)) accepted nothing in \(draws) draws "
        + "(\(rounds) rounds, \(agreements) with all draws equal): "
        + "raise the limit or the temperature, or use batch sampling"
    }
  }

  private static func format(_ value: Double) -> String { String(format: "%.6g", value) }
}

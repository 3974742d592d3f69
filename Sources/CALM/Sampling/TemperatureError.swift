import CALMSupport
import Foundation

/// An invalid temperature, or a failure of sampling at one.
public enum TemperatureError: DescribedError, Equatable {
  /// Text that is neither a decimal number nor a fraction.
  case notANumber(String)

  /// Zero, a negative number, or NaN.
  case notPositive(Double)

  /// A number outside (0, 1].
  case outOfRange(Double)

  /// A number in (0, 1] below `Temperature.minimum`.
  case tooSmall(Double)

  /// Fewer candidates than the ⌈1/T⌉ that batch sampling combines.
  case tooFewCandidates(candidates: Int, minimum: Int, temperature: Double)

  /// Exact sampling reached the maximum number of samples without accepting one.
  ///
  /// - Parameters:
  ///   - samples: the maximum number of samples.
  ///   - rounds: the number of attempts to sample n equal outcomes.
  ///   - agreements: the number of rounds in which all n samples were equal. Zero means that the distribution is too
  ///     spread out for this temperature; a positive number means that the fractional part rejected them.
  case maximumSamplesReached(samples: Int, rounds: Int, agreements: Int, temperature: Double)

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
    case .tooFewCandidates(let candidates, let minimum, let temperature):
      "\(candidates) candidates are too few for temperature \(Self.format(temperature)): use at least \(minimum), "
        + "preferably a hundred times as many"
    case .maximumSamplesReached(let samples, let rounds, let agreements, let temperature):
      "exact sampling at temperature \(Self.format(temperature)) accepted none of \(samples) samples "
        + "(\(rounds) rounds, \(agreements) with all samples equal): "
        + "raise the maximum number of samples or the temperature, or use the batch sampler"
    }
  }

  private static func format(_ value: Double) -> String { String(format: "%.6g", value) }
}

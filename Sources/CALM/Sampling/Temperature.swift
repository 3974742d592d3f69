import Foundation

/// A sampling temperature T in (0, 1], split for samplers that have no logits.
///
/// Sampling at temperature T means drawing from P_T(x) ∝ P(x)^(1/T). With samples of P alone this is done by writing
/// 1/T = n + α with n ≥ 1 whole and 0 ≤ α < 1: n equal draws stand for P(x)^n, and a Bernoulli factory (exact) or
/// counting (batch) for P(x)^α. Temperatures above 1 cannot be reached this way.
///
/// ```swift
/// let temperature = try Temperature(0.4)      // 1/T = 2.5
/// temperature.wholeExponent                   // 2
/// temperature.fractionalExponent              // 0.5
/// ```
public struct Temperature: Hashable, Sendable {
  /// How far 1/T may lie from a whole number, relative to it, and still count as that number.
  ///
  /// A third written as 0.3333333 (seven digits), or passed through a `Float`, means exactly 1/3; 0.333 does not.
  public static let wholeNumberTolerance = 1e-6

  /// The smallest temperature that is accepted, one millionth: below it no sampler could ever finish.
  public static let minimum = 1e-6

  /// Temperature 1, the distribution itself.
  public static let one = Temperature(value: 1, wholeExponent: 1, fractionalExponent: 0)

  /// T as it was given.
  public let value: Double

  /// n of 1/T = n + α, at least 1.
  public let wholeExponent: Int

  /// α of 1/T = n + α, at least 0 and below 1.
  public let fractionalExponent: Double

  /// The exponent 1/T = n + α that is applied to the probabilities.
  public var exponent: Double { Double(wholeExponent) + fractionalExponent }

  /// The fewest draws a pool must hold for batch sampling: ⌈1/T⌉.
  public var minimumPoolSize: Int { wholeExponent + (fractionalExponent > 0 ? 1 : 0) }

  /// Checks and splits a temperature.
  ///
  /// - Throws: `TemperatureError.outOfRange` unless 0 < T ≤ 1, `TemperatureError.tooSmall` below `minimum`.
  public init(_ value: Double) throws(TemperatureError) {
    guard value > 0, value <= 1 else { throw .outOfRange(value) }
    guard value >= Self.minimum else { throw .tooSmall(value) }
    let exponent = 1 / value
    let nearest = exponent.rounded()
    if abs(exponent - nearest) <= Self.wholeNumberTolerance * nearest {
      self.init(value: value, wholeExponent: Int(nearest), fractionalExponent: 0)
    } else {
      let whole = exponent.rounded(.down)
      self.init(value: value, wholeExponent: Int(whole), fractionalExponent: exponent - whole)
    }
  }

  /// Reads a temperature from text: a decimal number such as `0.4`, or a fraction such as `1/3`.
  ///
  /// - Throws: `TemperatureError.notANumber`, or what `init(_:)` throws.
  public init(parsing text: String) throws(TemperatureError) {
    try self.init(Self.number(parsing: text))
  }

  /// Reads such a text as the number that it stands for, of whatever size.
  ///
  /// - Throws: `TemperatureError.notANumber`.
  public static func number(parsing text: String) throws(TemperatureError) -> Double {
    let trimmed = text.trimmingCharacters(in: .whitespaces)
    let parts = trimmed.split(separator: "/", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0) }
    guard numbers.count == parts.count, (1...2).contains(numbers.count) else { throw .notANumber(text) }
    return numbers.count == 2 ? numbers[0] / numbers[1] : numbers[0]
  }

  private init(value: Double, wholeExponent: Int, fractionalExponent: Double) {
    self.value = value
    self.wholeExponent = wholeExponent
    self.fractionalExponent = fractionalExponent
  }

  /// The exact distribution P_T(x) ∝ P(x)^(1/T), for a P that is known.
  ///
  /// - Parameter probabilities: non-negative, at least one positive; they need not sum to 1.
  /// - Returns: as many probabilities, summing to 1.
  public func applied(to probabilities: [Double]) -> [Double] {
    guard let largest = probabilities.max(), largest > 0 else {
      preconditionFailure("a distribution needs a positive probability")
    }
    // Relative to the largest, so that high powers of small probabilities do not all vanish.
    let powers = probabilities.map { pow($0 / largest, exponent) }
    let total = powers.reduce(0, +)
    return powers.map { $0 / total }
  }
}

extension Temperature: CustomStringConvertible {
  /// T to six significant digits.
  public var description: String { String(format: "%.6g", value) }
}

extension Temperature: Codable {
  /// Reads a bare number and checks it as `init(_:)` does.
  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(Double.self))
  }

  /// Writes T as a bare number.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(value)
  }
}

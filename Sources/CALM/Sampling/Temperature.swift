import Foundation

/// A sampling temperature T in (0, 1], split for samplers that have no logits.
///
/// Sampling at temperature T means sampling from P_T(x) ∝ P(x)^(1/T). Given only samples of P, the samplers write
/// 1/T = n + α with an integer n ≥ 1 and 0 ≤ α < 1: n equal samples represent P(x)^n, and a Bernoulli factory (exact)
/// or counts (batch) represent P(x)^α. This method cannot reach temperatures above 1.
///
/// ```swift
/// let temperature = try Temperature(0.4)      // 1/T = 2.5
/// temperature.wholeExponent                   // 2
/// temperature.fractionalExponent              // 0.5
/// ```
public struct Temperature: Hashable, Sendable {
  /// The relative distance within which 1/T counts as an integer.
  ///
  /// 0.3333333 (seven digits) and `Float(1) / 3` mean exactly 1/3; 0.333 does not.
  public static let wholeNumberTolerance = 1e-6

  /// The smallest supported temperature. Below it, no sampler would finish.
  public static let minimum = 1e-6

  /// Temperature 1, which leaves the distribution unchanged.
  public static let one = Temperature(value: 1, wholeExponent: 1, fractionalExponent: 0)

  /// T as given.
  public let value: Double

  /// n of 1/T = n + α, at least 1.
  public let wholeExponent: Int

  /// α of 1/T = n + α, at least 0 and below 1.
  public let fractionalExponent: Double

  /// The exponent 1/T = n + α of the probabilities.
  public var exponent: Double { Double(wholeExponent) + fractionalExponent }

  /// The minimum number of candidates for batch sampling: ⌈1/T⌉.
  public var minimumCandidates: Int { wholeExponent + (fractionalExponent > 0 ? 1 : 0) }

  /// Checks the number of candidates for batch sampling.
  ///
  /// - Throws: `TemperatureError.tooFewCandidates`.
  func check(candidates: Int) throws(TemperatureError) {
    guard candidates >= minimumCandidates else {
      throw .tooFewCandidates(candidates: candidates, minimum: minimumCandidates, temperature: value)
    }
  }

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

  /// Parses a decimal number such as `0.4` or a fraction such as `1/3` as a temperature.
  ///
  /// - Throws: `TemperatureError.notANumber`, or the errors of `init(_:)`.
  public init(parsing text: String) throws(TemperatureError) {
    try self.init(Self.number(parsing: text))
  }

  /// Parses a decimal number or a fraction, without checking its range.
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

  /// The exact distribution P_T(x) ∝ P(x)^(1/T) of a known P.
  ///
  /// - Parameter probabilities: non-negative, at least one positive; they need not sum to 1.
  /// - Returns: the probabilities at this temperature, which sum to 1.
  public func applied(to probabilities: [Double]) -> [Double] {
    guard let largest = probabilities.max(), largest > 0 else {
      preconditionFailure("a distribution needs a positive probability")
    }
    // Dividing by the largest probability prevents high powers of small ones from all underflowing.
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
  /// Decodes a number and checks it as `init(_:)` does.
  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(Double.self))
  }

  /// Encodes T as a number.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(value)
  }
}

import CALM
import Foundation
import Testing

@Suite("Temperature")
struct TemperatureTests {
  static let splits: [(value: Double, whole: Int, fraction: Double)] = [
    (1, 1, 0), (0.9, 1, 1.0 / 9), (0.75, 1, 1.0 / 3), (2.0 / 3, 1, 0.5), (0.5, 2, 0), (0.4, 2, 0.5), (1.0 / 3, 3, 0),
    (0.01, 100, 0), (1e-6, 1_000_000, 0),
  ]

  @Test("1/T splits into a whole part and a fraction", arguments: splits)
  func splitsExponent(value: Double, whole: Int, fraction: Double) throws {
    let temperature = try Temperature(value)
    #expect(temperature.wholeExponent == whole)
    #expect(abs(temperature.fractionalExponent - fraction) < 1e-12)
    #expect(abs(temperature.exponent - 1 / value) < 1e-6 / value)
    #expect(temperature.minimumCandidates == Int((1 / value - 1e-9 / value).rounded(.up)))
  }

  @Test("a third in seven digits or in single precision is exactly 1/3, in three digits it is not")
  func roundedThirds() throws {
    #expect(try Temperature(0.3333333).fractionalExponent == 0)
    #expect(try Temperature(0.3333334).exponent == 3)
    #expect(try Temperature(Double(Float(1) / 3)).exponent == 3)
    #expect(try Temperature(Double(Float(1) / 7)).exponent == 7)
    #expect(try Temperature(0.333).fractionalExponent > 0)
  }

  @Test("a temperature is parsed from a number or a fraction")
  func parses() throws {
    #expect(try Temperature(parsing: "0.4") == Temperature(0.4))
    #expect(try Temperature(parsing: " 1/3 ").wholeExponent == 3)
    #expect(try Temperature(parsing: "1") == Temperature.one)
    for text in ["", "warm", "1/", "/3", "1/2/3", "0,5"] {
      #expect(throws: TemperatureError.notANumber(text)) { try Temperature(parsing: text) }
    }
  }

  @Test("temperatures outside (0, 1] are errors", arguments: [0, -0.5, 1.5, 1.000001, .infinity, -.infinity])
  func refusesOutside(value: Double) {
    #expect(throws: TemperatureError.outOfRange(value)) { try Temperature(value) }
  }

  @Test("NaN and temperatures near 0 are errors")
  func refusesSpecialValues() {
    #expect(throws: TemperatureError.self) { try Temperature(.nan) }
    #expect(throws: TemperatureError.tooSmall(1e-9)) { try Temperature(1e-9) }
    let least = Double.leastNonzeroMagnitude
    #expect(throws: TemperatureError.tooSmall(least)) { try Temperature(least) }
    #expect(throws: TemperatureError.self) { try Temperature(parsing: "1/0") }
  }

  @Test("temperature errors are one line that says what to do")
  func messages() {
    #expect(TemperatureError.outOfRange(1.5).description == "temperature must be above 0 and at most 1, got 1.5")
    let errors: [TemperatureError] = [
      .notANumber("warm"), .tooSmall(1e-9), .tooFewCandidates(candidates: 2, minimum: 3, temperature: 0.4),
      .maximumSamplesReached(samples: 100, rounds: 50, agreements: 0, temperature: 0.5),
    ]
    for error in errors {
      #expect(!error.description.contains("\n") && error.description.count < 200)
    }
  }

  @Test("decoding checks a temperature like its initializer")
  func coding() throws {
    let temperature = try Temperature(0.4)
    let data = try JSONEncoder().encode([temperature])
    #expect(String(decoding: data, as: UTF8.self) == "[0.4]")
    #expect(try JSONDecoder().decode([Temperature].self, from: data) == [temperature])
    #expect(throws: TemperatureError.outOfRange(2)) {
      try JSONDecoder().decode([Temperature].self, from: Data("[2]".utf8))
    }
  }

  @Test("powers of a known distribution are exact and do not underflow")
  func appliedToKnown() throws {
    let halves = try Temperature(0.5).applied(to: [0.5, 0.3, 0.2])
    #expect(totalVariation(halves, [0.25 / 0.38, 0.09 / 0.38, 0.04 / 0.38]) < 1e-15)
    let tiny = try Temperature(0.001).applied(to: [1e-30, 1e-30, 0])
    #expect(tiny == [0.5, 0.5, 0])
    #expect(Temperature.one.applied(to: [0.5, 0.5]) == [0.5, 0.5])
  }
}

import CALM
import Foundation
import Testing
import Torch

/// The recorded choices from pools of decoded chunks at T = 1/2, 1/3, ….
struct TemperatureParity {
  let numbers: RecordedNumbers

  func check() throws {
    for name in numbers.names(withPrefix: "temp.") where name.hasSuffix(".pool") {
      try checkPool(String(name.dropLast(".pool".count)))
    }
  }

  private func checkPool(_ pool: String) throws {
    let counts = try numbers.input("\(pool).counts").elements(as: Int64.self).map(Int.init)
    for name in numbers.names(withPrefix: "\(pool).probs_n") {
      let suffix = name.dropFirst("\(pool).probs_n".count)
      let size = try #require(Double(suffix))
      let rule = BatchTemperatureRule(temperature: try Temperature(1 / size))
      let weights = rule.weights(forCounts: counts)
      let probabilities = normalized(weights)
      try numbers.check(name, Tensor(probabilities))

      #expect(probabilities.count == counts.count && !counts.isEmpty, "\(pool)")
      let recorded = normalized(try numbers.input("\(pool).weights_n\(suffix)").elements())
      #expect(recorded.count == counts.count)
      #expect(zip(recorded, probabilities).allSatisfy { abs($0 - $1) < 1e-12 }, "\(pool).weights_n\(suffix)")
      numbers.markChecked("\(pool).weights_n\(suffix)")

      // The size of combinations after the rule fell back.
      let used = try numbers.number("\(pool).n_used_n\(suffix)")
      let combinations = normalized(counts.map { count in (0..<used).reduce(1) { $0 * Double(count - $1) } })
      #expect(zip(combinations, probabilities).allSatisfy { abs($0 - $1) < 1e-12 }, "\(pool).n_used_n\(suffix)")
      numbers.markChecked("\(pool).n_used_n\(suffix)")

      try checkChoices(pool, rule: rule, probabilities: probabilities)
    }
  }

  /// Expects the midpoint of each chunk's interval in [0, 1) to select it: chunks are distinct, counted, and ordered by
  /// first appearance, as recorded.
  private func checkChoices(_ pool: String, rule: BatchTemperatureRule, probabilities: [Double]) throws {
    let (draws, chunks) = (try rows(of: "\(pool).pool"), try rows(of: "\(pool).chunks"))
    #expect(chunks.count == probabilities.count, "\(pool)")
    var start = 0.0
    for (chunk, probability) in zip(chunks, probabilities) where probability > 0 {
      var generator = FixedNumber(start + probability / 2)
      #expect(rule.select(from: draws, using: &generator) == chunk, "\(pool): the chunk selected at \(start)")
      start += probability
    }
    for part in ["pool", "chunks", "counts"] { numbers.markChecked("\(pool).\(part)") }
  }

  private func rows(of name: String) throws -> [[Int64]] {
    let tensor = try numbers.input(name)
    return (0..<tensor.shape[0]).map { tensor.selected(0, $0).contiguous().elements() }
  }

  private func normalized(_ weights: [Double]) -> [Double] {
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }
}

/// A generator that returns the same number in [0, 1) every time.
private struct FixedNumber: RandomNumberGenerator {
  private let bits: UInt64

  init(_ unit: Double) { bits = UInt64(unit * 0x1p53) << 11 }

  func next() -> UInt64 { bits }
}

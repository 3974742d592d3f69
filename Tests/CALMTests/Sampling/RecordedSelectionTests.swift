import CALM
import Foundation
import Testing

@Suite("Numbers of the official code: choosing from a pool")
struct RecordedSelectionTests {
  static let folders = RecordedCase.folders(with: ["temp.a.counts", "temp.a.probs_n2"])

  @Test("the choice from a recorded pool has the recorded probabilities", .enabled(if: !folders.isEmpty))
  func choiceProbabilities() throws {
    for folder in Self.folders {
      let recorded = try RecordedCase(folder: folder)
      for pool in ["a", "b", "c", "d"] {
        let counts = recorded["temp.\(pool).counts"].map { Int($0) }
        for size in 2...4 {
          let rule = BatchTemperatureRule(temperature: try Temperature(1 / Double(size)))
          let weights = rule.weights(forCounts: counts)
          let total = weights.reduce(0, +)
          let expected = recorded["temp.\(pool).probs_n\(size)"]
          #expect(expected.count == weights.count)
          for (weight, probability) in zip(weights, expected) { #expect(abs(weight / total - probability) < 1e-7) }
        }
      }
    }
  }
}

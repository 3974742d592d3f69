import CALMCorpus
import CALMSupport
import Foundation

/// Samples the next token from logits, at a temperature, with top-k and top-p.
struct TokenChoice {
  /// The temperature, above 0.
  let temperature: Double
  /// The number of most probable tokens to choose from; nil for all.
  let topK: Int?
  /// The total probability, at that temperature, of the most probable tokens to choose from; nil for all.
  let topP: Double?

  /// Samples a token.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func callAsFunction(
    _ logits: UnsafeBufferPointer<Float>, using generator: inout SeededGenerator
  ) throws(GenerationError) -> Int {
    // x·0 is 0 if x is finite, and NaN otherwise.
    guard logits.reduce(0, { $0 + $1 * 0 }) == 0 else { throw .notFinite }
    let largest = Double(logits.max() ?? 0)
    func weight(_ token: Int) -> Double { exp((Double(logits[token]) - largest) / temperature) }
    if topK == nil && topP == nil { return choose(from: logits.indices.map { ($0, weight($0)) }, using: &generator) }

    var candidates = logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
      .prefix(topK ?? logits.count).map { ($0, weight($0)) }
    if let topP {
      let wanted = topP * candidates.reduce(0) { $0 + $1.1 }
      var sum = 0.0
      let kept = candidates.prefix { candidate in
        defer { sum += candidate.1 }
        return sum < wanted
      }
      candidates = Array(kept)
    }
    return choose(from: candidates, using: &generator)
  }

  private func choose(from candidates: [(token: Int, weight: Double)], using generator: inout SeededGenerator) -> Int {
    var left = generator.unitInterval() * candidates.reduce(0) { $0 + $1.weight }
    for candidate in candidates {
      left -= candidate.weight
      if left < 0 { return candidate.token }
    }
    return candidates.last { $0.weight > 0 }?.token ?? 0
  }
}

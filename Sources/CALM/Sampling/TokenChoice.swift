import CALMCorpus
import CALMSupport
import Foundation

/// Samples the next token at a temperature, with top-k and top-p.
package struct TokenChoice: Hashable, Sendable {
  /// The temperature, above 0.
  package let temperature: Double
  /// The number of most probable tokens to choose from; nil for all.
  package let topK: Int?
  /// The total probability, at that temperature, of the most probable tokens to choose from; nil for all.
  package let topP: Double?

  /// Samples from the probabilities as they are.
  package static let unlimited = TokenChoice(temperature: 1)

  /// - Parameters:
  ///   - temperature: above 0.
  ///   - topK: the number of most probable tokens to choose from; nil for all.
  ///   - topP: the total probability, at that temperature, of the most probable tokens to choose from; nil for all.
  package init(temperature: Double, topK: Int? = nil, topP: Double? = nil) {
    (self.temperature, self.topK, self.topP) = (temperature, topK, topP)
  }

  /// As the options say.
  init(_ options: GenerationOptions) {
    self.init(temperature: options.temperature, topK: options.topK, topP: options.topP)
  }

  /// Whether some tokens are never chosen.
  var isLimited: Bool { topK != nil || topP != nil }

  /// Samples a token.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  func callAsFunction(
    _ logits: UnsafeBufferPointer<Float>, using generator: inout SeededGenerator
  ) throws(GenerationError) -> Int {
    // x·0 is 0 if x is finite, and NaN otherwise.
    guard logits.reduce(0, { $0 + $1 * 0 }) == 0 else { throw .notFinite }
    let largest = Double(logits.max() ?? 0)
    var weights = logits.map { exp((Double($0) - largest) / temperature) }
    limit(&weights)
    var left = generator.unitInterval() * weights.reduce(0, +)
    for (token, weight) in weights.enumerated() {
      left -= weight
      if left < 0 { return token }
    }
    return weights.lastIndex { $0 > 0 } ?? 0
  }

  /// Sets the weights of the tokens from which none is chosen to 0.
  ///
  /// - Parameter weights: probabilities at the temperature, times a factor.
  private func limit(_ weights: inout [Double]) {
    if !isLimited { return }
    // Tokens with less than an equal share of the rest, 1 − topP, have less than the rest together.
    let least = topK == nil ? (1 - (topP ?? 1)) * weights.reduce(0, +) / Double(weights.count) : 0
    let descending = weights.indices.filter { weights[$0] >= least }.sorted {
      weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1
    }
    var kept = descending.prefix(topK ?? descending.count)
    if let topP {
      let wanted = topP * (topK == nil ? weights : kept.map { weights[$0] }).reduce(0, +)
      var sum = 0.0
      kept = kept.prefix { token in
        defer { sum += weights[token] }
        return sum < wanted
      }
    }
    var limited = Array(repeating: 0.0, count: weights.count)
    for token in kept { limited[token] = weights[token] }
    weights = limited
  }

  /// Removes the tokens from which none is chosen from running sums of weights. Sums that are not finite stay as they
  /// are.
  func limit(sums: UnsafeMutableBufferPointer<Float>) {
    if !isLimited || sums.last?.isFinite != true { return }
    var weights = zip(sums, [0] + sums).map { Double($0 - $1) }
    limit(&weights)
    var sum = 0.0
    for (token, weight) in weights.enumerated() {
      sum += weight
      sums[token] = Float(sum)
    }
  }
}

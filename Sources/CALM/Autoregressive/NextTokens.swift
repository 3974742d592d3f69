import CALMCorpus
import CALMSupport
import Torch

/// Summaries of the next-token distribution at each of many positions, with one sampled token each.
struct NextTokens {
  /// The probabilities of the given tokens; empty if none are given.
  var given: [Double] = []
  /// Σ_x P(x)²: the probability that two samples agree.
  var agreement: [Double] = []
  /// The sampled tokens.
  var sampled: [Int32] = []
  /// Their probabilities.
  var sampledProbability: [Double] = []
}

extension AutoregressiveModel {
  /// The maximum number of logits in memory at once.
  private static let logitsAtOnce = 1 << 22

  /// Evaluates the next-token distribution after each hidden state.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - tokens: one per position, whose probabilities to return; nil for none.
  ///   - generator: the source of randomness for the sampled tokens.
  func nextTokens(
    _ hidden: Tensor, of tokens: ArraySlice<Int32>? = nil, using generator: inout SeededGenerator
  ) -> NextTokens {
    let (positions, vocabulary) = (hidden.shape[0], configuration.vocabularySize)
    let step = max(1, Self.logitsAtOnce / vocabulary)
    var found = NextTokens()
    for start in stride(from: 0, to: positions, by: step) {
      let rows = start..<min(start + step, positions)
      softmax(logits(hidden.narrowed(0, rows))).withUnsafeBytes { bytes in
        let probabilities = bytes.bindMemory(to: Float.self)
        for row in rows {
          let first = (row - start) * vocabulary
          let token = tokens.map { Int($0[$0.startIndex + row]) }
          found.append(probabilities.extracting(first..<first + vocabulary), of: token, using: &generator)
        }
      }
    }
    return found
  }
}

extension NextTokens {
  /// Adds one position.
  fileprivate mutating func append(
    _ probabilities: UnsafeBufferPointer<Float>, of token: Int?, using generator: inout SeededGenerator
  ) {
    if let token { given.append(Double(probabilities[token])) }
    let target = generator.unitInterval()
    var (sum, squares, choice) = (0.0, 0.0, -1)
    for (index, value) in probabilities.enumerated() {
      let value = Double(value)
      sum += value
      squares += value * value
      if choice < 0, target < sum { choice = index }
    }
    // Due to rounding, the sum may be less than the random number.
    if choice < 0 { choice = probabilities.lastIndex { $0 > 0 } ?? 0 }
    agreement.append(squares)
    sampled.append(Int32(choice))
    sampledProbability.append(Double(probabilities[choice]))
  }
}

import CALMCorpus
import CALMSupport
import Torch

/// What a model says of the token after each of many positions, with one token drawn at each.
struct NextTokens {
  /// The probability of the token that was asked about, where one was.
  var asked: [Double] = []
  /// Σ_x P(x)²: the probability that two draws agree.
  var agreement: [Double] = []
  /// The tokens drawn.
  var drawn: [Int32] = []
  /// Their probabilities.
  var drawnProbability: [Double] = []
}

extension AutoregressiveModel {
  /// Logits of this many rows and columns together are held at once.
  private static let logitsAtOnce = 1 << 22

  /// Looks at the distribution of the token after each hidden state.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - tokens: for each position one whose probability is wanted; nil asks for none.
  ///   - generator: draws a token at each position.
  func nextTokens(
    _ hidden: Tensor, asking tokens: ArraySlice<Int32>? = nil, drawing generator: inout SeededGenerator
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
          found.append(probabilities.extracting(first..<first + vocabulary), asking: token, using: &generator)
        }
      }
    }
    return found
  }
}

extension NextTokens {
  /// Adds one position.
  fileprivate mutating func append(
    _ probabilities: UnsafeBufferPointer<Float>, asking token: Int?, using generator: inout SeededGenerator
  ) {
    if let token { asked.append(Double(probabilities[token])) }
    let target = generator.unitInterval()
    var (sum, squares, choice) = (0.0, 0.0, -1)
    for (index, value) in probabilities.enumerated() {
      let value = Double(value)
      sum += value
      squares += value * value
      if choice < 0, target < sum { choice = index }
    }
    // Rounding may leave the sum a little below the number drawn.
    if choice < 0 { choice = probabilities.lastIndex { $0 > 0 } ?? 0 }
    agreement.append(squares)
    drawn.append(Int32(choice))
    drawnProbability.append(Double(probabilities[choice]))
  }
}

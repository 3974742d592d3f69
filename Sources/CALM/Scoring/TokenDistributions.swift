import Torch

/// The distributions softmax(rows·weightᵀ), computed in float32 for some rows at a time.
struct TokenDistributions {
  /// The maximum number of logits held at once.
  private static let logitsAtOnce = 1 << 22

  /// [rows, h].
  let rows: Tensor
  /// [V, h].
  let weight: Tensor

  /// The logarithm of the probability of a token in each row.
  ///
  /// - Parameter targets: [rows], int64.
  /// - Returns: [rows], float32.
  func logProbabilities(of targets: Tensor) -> Tensor {
    inParts { Self.values(of: logSoftmax($0), at: targets.narrowed(0, $1)) }
  }

  /// The largest probability in each row, [rows], float32.
  func largestProbabilities() -> Tensor {
    inParts { logits, _ in
      let probabilities = softmax(logits)
      return Self.values(of: probabilities, at: probabilities.argmax())
    }
  }

  /// The probability that two samples agree, Σ p², in each row: [rows], float32.
  func agreement() -> Tensor {
    inParts { logits, _ in softmax(logits).squared().sum(-1) }
  }

  /// One value of each row.
  ///
  /// - Parameters:
  ///   - table: [rows, V].
  ///   - columns: [rows], int64.
  static func values(of table: Tensor, at columns: Tensor) -> Tensor {
    table.elements(at: columns.reshaped(-1, 1)).reshaped(-1)
  }

  private func inParts(_ body: (_ logits: Tensor, _ range: Range<Int>) -> Tensor) -> Tensor {
    let (count, columns) = (rows.shape[0], weight.to(.float32).transposed())
    let step = max(1, Self.logitsAtOnce / weight.shape[0])
    let parts = stride(from: 0, to: count, by: step).map { start in
      let range = start..<min(start + step, count)
      return body(matmul(rows.narrowed(0, range).to(.float32), columns), range)
    }
    return parts.count == 1 ? parts[0] : .concatenated(parts)
  }
}

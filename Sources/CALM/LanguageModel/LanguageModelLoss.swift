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
    let hidden = hidden(ids.narrowed(1, 0..<tokens - k), generator: generator)
    return loss(hidden: hidden, next: ids.narrowed(1, k..<tokens).contiguous(), generator: generator)
  }

  /// The training loss where labels say which chunks are predicted, and as what.
  ///
  /// A chunk with a label of −100 in it counts neither in the head's nor in the auxiliary loss; it is still seen by the
  /// chunks after it. The official code takes labels of whole chunks only.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - labels: of the same shape, on the CPU or the model's device: the true ids, or −100.
  ///   - generator: for everything that the head draws.
  /// - Precondition: one chunk at least, not counting the first of each row, has labels.
  public func loss(_ ids: Tensor, labels: Tensor, generator: Generator) -> LanguageModelLoss {
    let (hidden, next) = labelled(ids, labels, generator: generator)
    return loss(hidden: hidden, next: next, generator: generator)
  }

  /// The hidden states before the chunks that have labels, [positions, h], and those chunks, [1, K·positions].
  private func labelled(
    _ ids: Tensor, _ labels: Tensor, generator: Generator
  ) -> (hidden: Tensor, next: Tensor) {
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    precondition(labels.shape == ids.shape, "labels of shape \(labels.shape) for ids of \(ids.shape)")
    let chunks = labels.narrowed(1, k..<tokens).contiguous().reshaped(-1, k)
    let kept = Self.labelledChunks(chunks)
    precondition(kept.count > 0, "no chunk has labels")
    let hidden = hidden(ids.narrowed(1, 0..<tokens - k), generator: generator).gathered(0, kept)
    return (hidden, chunks.gathered(0, kept).reshaped(1, -1))
  }

  /// The numbers of the rows of `labels`, [chunks, K], that are without −100: int64, on the same device.
  package static func labelledChunks(_ labels: Tensor) -> Tensor {
    let k = labels.shape[1]
    let ignored = labels.equals(-100).elements(as: Bool.self)
    let kept = stride(from: 0, to: ignored.count, by: k).filter { !ignored[$0..<$0 + k].contains(true) }
    return Tensor(kept.map { Int64($0 / k) }, device: labels.device)
  }

  /// The training loss of positions.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - next: the ids of the predicted chunks, [rows, tokens], K·positions of them.
  private func loss(hidden: Tensor, next: Tensor, generator: Generator) -> LanguageModelLoss {
    let targets = withoutGradients { autoencoder.encode(next) }
    let headLoss = head.loss(hidden: hidden, targets: targets, generator: generator)
    guard let tokenLoss = auxiliaryLoss(hidden: hidden, next: next) else {
      return LanguageModelLoss(total: headLoss, head: headLoss, auxiliary: nil)
    }
    return LanguageModelLoss(
      total: headLoss + tokenLoss * configuration.auxiliaryLossWeight, head: headLoss, auxiliary: tokenLoss)
  }

  /// The auxiliary token loss alone, in nats a token: the head is neither run nor trained. Nil where the model has no
  /// auxiliary projection.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - labels: as in ``loss(_:labels:generator:)``; nil predicts all chunks.
  ///   - generator: for the latents that a model reads, if it does.
  public func auxiliaryLoss(_ ids: Tensor, labels: Tensor? = nil, generator: Generator) -> Tensor? {
    if auxiliary == nil { return nil }
    if let labels {
      let (hidden, next) = labelled(ids, labels, generator: generator)
      return auxiliaryLoss(hidden: hidden, next: next)
    }
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    let hidden = hidden(ids.narrowed(1, 0..<tokens - k), generator: generator)
    return auxiliaryLoss(hidden: hidden, next: ids.narrowed(1, k..<tokens).contiguous())
  }

  /// The hidden states that training sees, [positions, h]: where latents are read, they are drawn from what the encoder
  /// gives, as those that are predicted in generation follow that distribution and not its mean.
  private func hidden(_ ids: Tensor, generator: Generator) -> Tensor {
    let latents =
      configuration.input.hasLatents
      ? withoutGradients { autoencoder.encode(ids).samples(1, generator: generator) } : nil
    return hiddenStates(ids, latents: latents).reshaped(-1, configuration.hiddenSize)
  }

  private func auxiliaryLoss(hidden: Tensor, next: Tensor) -> Tensor? {
    auxiliary.map {
      linearCrossEntropy(
        $0(hidden).reshaped(-1, configuration.hiddenSize), weight: backbone.embedding.weight,
        targets: next.reshaped(-1))
    }
  }
}

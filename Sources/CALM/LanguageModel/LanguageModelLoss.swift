import Torch

/// The parts of a language model's training loss, each a float32 scalar.
public struct LanguageModelLoss {
  /// What training minimises: energy + weight · auxiliary.
  public let total: Tensor
  /// The energy loss, a mean over positions.
  public let energy: Tensor
  /// The auxiliary token loss in nats a token; nil where the model has none.
  public let auxiliary: Tensor?
}

extension ContinuousLanguageModel {
  /// The training loss on a batch of blocks: every chunk but the first is predicted from those before it.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - generator: for the head's noise and the target samples.
  public func loss(_ ids: Tensor, generator: Generator, detachingHead: Bool = false) -> LanguageModelLoss {
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    let next = ids.narrowed(1, k..<tokens).contiguous()  // [batch, tokens − K]
    let targets = withoutGradients {
      autoencoder.encode(next).samples(configuration.targetSamples, generator: generator)
    }
    let hidden = hiddenStates(ids.narrowed(1, 0..<tokens - k)).reshaped(-1, configuration.hiddenSize)
    let noise = head.noise(samples: configuration.samples, positions: hidden.shape[0], generator: generator)
    return loss(hidden: hidden, noise: noise, targets: targets, next: next, detachingHead: detachingHead)
  }

  /// The training loss with all random draws given.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: of the head, [N, positions, d].
  ///   - targets: samples of the true latents, [M, positions, l], float32.
  ///   - next: the ids of the predicted chunks, K·positions of them, int64.
  public func loss(
    hidden: Tensor, noise: Tensor, targets: Tensor, next: Tensor, detachingHead: Bool = false
  ) -> LanguageModelLoss {
    let energy = energyDistance(
      samples: head(detachingHead ? hidden.detached() : hidden, noise: noise), targets: targets, exponent: configuration.exponent
    ).mean()
    guard let tokenLoss = auxiliaryLoss(hidden: hidden, next: next) else {
      return LanguageModelLoss(total: energy, energy: energy, auxiliary: nil)
    }
    return LanguageModelLoss(
      total: energy + tokenLoss * configuration.auxiliaryLossWeight, energy: energy, auxiliary: tokenLoss)
  }

  /// The auxiliary token loss alone, in nats a token: the head is neither run nor trained. Nil where the model has no
  /// auxiliary projection.
  ///
  /// - Parameter ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  public func auxiliaryLoss(_ ids: Tensor) -> Tensor? {
    let (k, tokens) = (configuration.chunkSize, ids.shape[1])
    let hidden = hiddenStates(ids.narrowed(1, 0..<tokens - k)).reshaped(-1, configuration.hiddenSize)
    return auxiliaryLoss(hidden: hidden, next: ids.narrowed(1, k..<tokens).contiguous())
  }

  private func auxiliaryLoss(hidden: Tensor, next: Tensor) -> Tensor? {
    auxiliary.map {
      linearCrossEntropy(
        $0(hidden).reshaped(-1, configuration.hiddenSize), weight: backbone.embedding.weight,
        targets: next.reshaped(-1))
    }
  }
}

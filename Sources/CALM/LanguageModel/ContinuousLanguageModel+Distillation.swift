import Torch

extension ContinuousLanguageModel {
  /// Prepares the model, with the backbone of its teacher and a one-step head, for
  /// ``distillationLoss(_:from:samples:generator:)``: only the head is trained.
  ///
  /// - Precondition: `configuration.isOneStep`.
  public func trainHeadOnly() {
    guard configuration.isOneStep, let head = head as? any DistillableHead else {
      preconditionFailure("only a one-step head is distilled")
    }
    setTrainable(false)
    head.trainAsStudent()
  }

  /// The distillation loss of the one-step head on a batch of sequences: how far its samples or predictions are from
  /// what the teacher makes of the same noise. A mean over positions, a float32 scalar.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; a multiple of K tokens, at least 2K.
  ///   - teacher: the model from which this one was initialized.
  ///   - samples: paths per position.
  ///   - generator: the source of the noise.
  /// - Throws: ``GenerationError/notFinite``.
  public func distillationLoss(
    _ ids: Tensor, from teacher: ContinuousLanguageModel, samples: Int, generator: Generator
  ) throws(GenerationError) -> Tensor {
    guard let student = head as? any DistillableHead else { preconditionFailure("the head cannot be distilled") }
    let tokens = ids.shape[1]
    let hidden = withoutGradients {
      hiddenStates(ids.narrowed(1, 0..<tokens - configuration.chunkSize)).reshaped(-1, configuration.hiddenSize)
    }
    let noise = student.noise(samples: samples, positions: hidden.shape[0], generator: generator)
    return try student.distillationLoss(
      from: teacher.head, hidden: hidden, noise: noise, vocabulary: backbone.embedding.weight.detached())
  }
}

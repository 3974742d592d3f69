import Torch

extension PosteriorHead {
  /// Initializes a one-step head with the tokens head from which it will learn.
  ///
  /// The tokens head predicts token k from the embeddings of the tokens before it. The beliefs about those tokens are
  /// guesses of the same embeddings, so the coupling takes over its network: row k reads the beliefs 1 to k − 1 as the
  /// network reads the embeddings. The noise and the time have no effect on the coupling at first.
  ///
  /// - Parameter teacher: a head of the same sizes.
  package func initialize(from teacher: TokensHead) {
    withoutGradients {
      prior.assign(teacher.prior)
      coupling.condition.assign(teacher.condition)
      for (own, other) in zip(coupling.blocks, teacher.blocks) { own.assign(other) }
      coupling.final.assign(teacher.output)

      let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
      for layer in [coupling.time.mix, coupling.input] {
        for parameter in layer.namedParameters() { parameter.tensor.fill(0) }
      }
      let beliefs = coupling.input.weight.narrowed(1, configuration.latentSize..<configuration.latentSize + k * h)
      for row in 1..<max(1, k) {
        let layer = teacher.prefix[row - 1]
        let own = row * h..<(row + 1) * h
        beliefs.narrowed(0, own).narrowed(1, 0..<row * h).copy(from: layer.weight)
        coupling.input.bias?.narrowed(0, own).copy(from: layer.bias ?? .zeros([h]))
      }
    }
  }
}

extension Module {
  /// Copies the parameters of a module with the same structure.
  fileprivate func assign(_ other: Self) {
    for (own, source) in zip(namedParameters(), other.namedParameters()) { own.tensor.copy(from: source.tensor) }
  }
}

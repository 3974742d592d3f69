import Torch

extension TokensHead {
  package var samplesTokenByToken: Bool { true }

  package var noiseCount: Int { configuration.chunkSize }

  /// A uniform number for each token, [samples, positions, K].
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.uniform([samples, positions, configuration.chunkSize], along: 1)
  }

  package func tokens(_ hidden: Tensor, noise: Tensor, vocabulary: Tensor) throws(GenerationError) -> Tensor {
    try tokens(hidden, vocabulary: vocabulary) { (k, probabilities) in
      Self.inverse(of: probabilities, at: noise.selected(2, k))
    }
  }

  /// Samples as functions of normal noise: token k is the end of the path from the k-th part of the noise, given the
  /// tokens before it. The posterior on the path follows from the head's probabilities.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: [samples, positions, K·d].
  ///   - path: the path of each token, with embeddings of size d.
  ///   - vocabulary: the token embeddings, [V, h].
  /// - Returns: [samples, positions, K], int32.
  /// - Throws: ``GenerationError/notFinite``.
  package func tokens(
    _ hidden: Tensor, noise: Tensor, path: EmbeddingPath, vocabulary: Tensor
  ) throws(GenerationError) -> Tensor {
    let d = path.codeWords.shape[1]
    return try tokens(hidden, vocabulary: vocabulary) { (k, probabilities) in
      let known = probabilities.log()
      let logits = path.end(from: noise.narrowed(2, k * d..<(k + 1) * d), steps: configuration.solverSteps) { x, t in
        known + linear(x * EmbeddingPath.precision(t), weight: path.codeWords)
      }
      return logits.argmax(-1)
    }
  }

  /// Samples the tokens of chunks one after the other.
  ///
  /// - Parameter sample: called with each k; returns a token for probabilities, [(samples,) positions, V], float32.
  /// - Returns: [samples, positions, K], int32.
  private func tokens(
    _ hidden: Tensor, vocabulary: Tensor, sample: (Int, Tensor) -> Tensor
  ) throws(GenerationError) -> Tensor {
    let (priors, condition) = (priorRows(hidden), condition(hidden))
    var tokens: [Tensor] = []
    var embedded: [Tensor] = []
    for k in 0..<configuration.chunkSize {
      let earlier = embedded.isEmpty ? nil : Tensor.concatenated(embedded, along: -1)
      let output = rows(k, prior: priors[k], earlier: earlier, condition: condition)  // [(samples,) positions, h]
      let probabilities = softmax(linear(output, weight: vocabulary).to(.float32))
      guard probabilities.allFinite() else { throw .notFinite }
      tokens.append(sample(k, probabilities))
      embedded.append(Torch.embedding(tokens[k], weight: vocabulary))
    }
    return Tensor.stacked(tokens, along: 2).to(.int32)
  }

  /// The token at which the sum of the probabilities first exceeds a uniform number: [samples, positions], int64.
  private static func inverse(of probabilities: Tensor, at uniform: Tensor) -> Tensor {
    let sums = probabilities.cumulativeSum(along: -1)
    let count = sums.shape[sums.rank - 1]
    // Rounding may leave the last sum below 1.
    let bound = uniform.reshaped(uniform.shape + [1]) * sums.narrowed(-1, count - 1..<count)
    return (sums - bound).isGreater(than: 0).to(.int32).argmax(-1)
  }

  // MARK: Shared beginnings

  /// What all chunks of some positions share.
  struct Context {
    /// The rows of the prior, [positions·K, h].
    let priors: Tensor
    /// Shift, scale and gate of each block, then shift and scale of the output: [positions, (3·blocks + 2)·h].
    let modulations: Tensor
  }

  /// - Parameter hidden: [positions, h].
  func context(_ hidden: Tensor) -> Context {
    Context(
      priors: prior(hidden).reshaped(-1, configuration.hiddenSize),
      modulations: blocks.modulations(and: output, from: silu(condition(hidden))))
  }

  /// The probabilities of the token that follows each of some beginnings of chunks.
  ///
  /// - Parameter beginnings: fewer than K tokens each, in the order of their lengths.
  /// - Returns: [beginnings, V], float32.
  func probabilities(
    after beginnings: [(position: Int, tokens: [Int32])], _ context: Context, vocabulary: Tensor
  ) -> Tensor {
    let (h, device) = (configuration.hiddenSize, vocabulary.device)
    let priors = context.priors.gathered(
      0,
      Tensor(beginnings.map { Int64($0.position * configuration.chunkSize + $0.tokens.count) }, device: device))
    let empty = beginnings.prefix { $0.tokens.isEmpty }.count
    var rows = priors.narrowed(0, 0..<empty)
    if empty < beginnings.count {
      let others = beginnings[empty...]
      var x = Tensor.concatenated(
        prefix.indices.compactMap { layer in
          let tokens = others.filter { $0.tokens.count == layer + 1 }.flatMap(\.tokens)
          if tokens.isEmpty { return nil }
          let earlier = Torch.embedding(Tensor(tokens.map(Int64.init), device: device), weight: vocabulary)
          return prefix[layer](earlier.reshaped(-1, (layer + 1) * h))
        })
      let modulations = context.modulations.gathered(0, Tensor(others.map { Int64($0.position) }, device: device))
      for (index, block) in blocks.enumerated() {
        x = block(x, modulated: modulations.narrowed(1, 3 * index * h..<3 * (index + 1) * h))
      }
      let last = modulations.narrowed(1, 3 * blocks.count * h..<(3 * blocks.count + 2) * h)
      rows = .concatenated([rows, output(x, modulated: last) + priors.narrowed(0, empty..<beginnings.count)])
    }
    return softmax(linear(rows, weight: vocabulary).to(.float32))
  }
}

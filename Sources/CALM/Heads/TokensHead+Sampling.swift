import Torch

extension TokensHead {
  /// False for a one-step head: samples of a position share all products with the vocabulary anyway.
  package var samplesTokenByToken: Bool { !configuration.isOneStep }

  package var noiseCount: Int { configuration.isOneStep ? 2 * configuration.chunkSize - 1 : configuration.chunkSize }

  /// Uniform numbers, [samples, positions, …]: one for each token. A one-step head needs a second one for each token
  /// after the first.
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.uniform([samples, positions, noiseCount], along: 1)
  }

  package func tokens(_ hidden: Tensor, noise: Tensor, vocabulary: Tensor) throws(GenerationError) -> Tensor {
    let (priors, condition) = (priorRows(hidden), condition(hidden))
    let shortlist = shortlist(hidden, vocabulary: vocabulary)
    var tokens: [Tensor] = []
    var embedded: [Tensor] = []
    for k in 0..<configuration.chunkSize {
      let earlier = embedded.isEmpty ? nil : Tensor.concatenated(embedded, along: -1)
      let rows = rows(k, prior: priors[k], earlier: earlier, condition: condition)  // [(samples,) positions, h]
      let token =
        if k > 0, let shortlist {
          try shortlist.token(
            k, rows: rows, start: noise.selected(2, k),
            choice: noise.selected(2, configuration.chunkSize + k - 1))
        } else {
          try Self.token(of: linear(rows, weight: vocabulary).to(.float32), at: noise.selected(2, k))
        }
      tokens.append(token)
      embedded.append(Torch.embedding(token, weight: vocabulary))
    }
    return Tensor.stacked(tokens, along: 2).to(.int32)
  }

  /// The token at which the sum of the probabilities first exceeds a uniform number.
  ///
  /// - Parameters:
  ///   - logits: [(samples,) positions, tokens], float32.
  ///   - uniform: [samples, positions].
  /// - Returns: [samples, positions], int64.
  static func token(of logits: Tensor, at uniform: Tensor) throws(GenerationError) -> Tensor {
    let probabilities = softmax(logits)
    guard probabilities.allFinite() else { throw .notFinite }
    return CumulativeSums(probabilities).indices(at: uniform.reshaped(uniform.shape + [1])).selected(2, 0)
  }

  // MARK: Shared beginnings

  /// What all chunks of some positions share.
  package struct Context {
    /// The rows of the prior, [positions·K, h].
    let priors: Tensor
    /// Shift, scale and gate of each block, then shift and scale of the output: [positions, (3·blocks + 2)·h].
    let modulations: Tensor
  }

  /// - Parameter hidden: [positions, h].
  package func context(_ hidden: Tensor) -> Context {
    Context(
      priors: prior(hidden).reshaped(-1, configuration.hiddenSize),
      modulations: blocks.modulations(and: output, from: silu(condition(hidden))))
  }

  /// The logits of the token that follows each of some beginnings of chunks.
  ///
  /// - Parameter beginnings: fewer than K tokens each, in the order of their lengths.
  /// - Returns: [beginnings, V], float32.
  package func logits(
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
    return linear(rows, weight: vocabulary).to(.float32)
  }
}

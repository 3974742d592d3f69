import Torch

extension ContinuousLanguageModel {
  /// The diagnostics that apply to this model.
  func applicableDiagnostics(teacher: ContinuousLanguageModel?) -> [Diagnostic] {
    [independentTokens, decoderConfidence, brierGap, energyGap, crossEntropyByTime, teacher.map(agreement)]
      .compactMap { $0 }
  }

  /// See ``LanguageModelDiagnostics/independentBrier``.
  private var independentTokens: Diagnostic? {
    guard let tokenProjection, configuration.chunkSize >= BrierScore.maximumOrder else { return nil }
    let order = BrierScore.maximumOrder
    return Diagnostic(count: order + 1) { positions in
      let distributions = TokenDistributions(
        rows: tokenProjection(positions.hidden).reshaped(-1, self.configuration.hiddenSize),
        weight: self.backbone.embedding.weight)
      func tokens(_ values: Tensor) -> Tensor { values.reshaped(positions.next.shape) }  // [positions, K]
      let truth = tokens(distributions.logProbabilities(of: positions.next.reshaped(-1)))
      let agreement = tokens(distributions.agreement().log())
      // The tokens are independent: probabilities of n tokens are products.
      let scores = truth.cumulativeSum(along: 1).exp() * 2 - agreement.cumulativeSum(along: 1).exp()
      return Array(scores.mean(0).elements(as: Double.self).prefix(order)) + [-truth.mean().item()]
    } store: { values, result in
      result.independentBrier = Array(values.prefix(order))
      result.independentBrierLM = BrierLM.score(ofBrier: SIMD4(values.prefix(order)))
      result.independentCrossEntropy = values[order]
    }
  }

  /// See ``LanguageModelDiagnostics/brierGap``. Only the accuracy terms of the two scores differ.
  private var brierGap: Diagnostic? {
    Diagnostic(count: 1) { positions in
      let first = positions.samples.tokens.selected(2, 0).to(.int64)  // [samples, positions]
      func accuracy(_ chunks: Tensor) -> Double {
        first.equals(chunks.selected(1, 0)).to(.float32).mean().item()
      }
      return [2 * (accuracy(positions.next) - accuracy(positions.shifted(positions.next, along: 0)))]
    } store: {
      $1.brierGap = $0[0]
    }
  }

  /// See ``LanguageModelDiagnostics/energyGap``.
  private var energyGap: Diagnostic? {
    guard configuration.head.usesAutoencoder else { return nil }
    return Diagnostic(count: 1) { positions in
      guard let latents = positions.samples.latents else { return [] }
      let targets = self.encoded(positions.next).samples(
        self.configuration.targetSamples, generator: positions.generator)  // [M, positions, l]
      func score(_ targets: Tensor) -> Double {
        energyScore(samples: latents, targets: targets, exponent: self.configuration.exponent).mean().item()
      }
      return [score(positions.shifted(targets, along: 1)) - score(targets)]
    } store: {
      $1.energyGap = $0[0]
    }
  }

  /// See ``LanguageModelDiagnostics/decoderConfidence``.
  private var decoderConfidence: Diagnostic? {
    guard let autoencoder else { return nil }
    return Diagnostic(count: 1) { positions in
      guard let latents = positions.samples.latents else { return [] }
      let rows = autoencoder.decoder(latents.reshaped(-1, self.configuration.latentSize))
      return [
        TokenDistributions(rows: rows, weight: autoencoder.encoder.embedding.weight).largestProbabilities().mean()
          .item()
      ]
    } store: {
      $1.decoderConfidence = $0[0]
    }
  }

  /// See ``LanguageModelDiagnostics/crossEntropyByTime``.
  private var crossEntropyByTime: Diagnostic? {
    guard let head = head as? PosteriorHead, !configuration.isOneStep else { return nil }
    let intervals = 6
    let length = EmbeddingPath.latestTime / Double(intervals)
    return Diagnostic(count: intervals) { positions in
      (0..<intervals).map { interval in
        let times = positions.generator.uniform([1] + positions.next.shape, along: 1) + Double(interval)
        return head.loss(
          hidden: positions.hidden, next: positions.next, vocabulary: self.backbone.embedding.weight,
          times: times * length,
          start: head.noise(samples: 1, positions: positions.hidden.shape[0], generator: positions.generator)
        ).item()
      }
    } store: { values, result in
      result.crossEntropyByTime = values.enumerated().map { interval, value in
        .init(from: Double(interval) * length, to: Double(interval + 1) * length, crossEntropy: value)
      }
    }
  }

  /// See ``LanguageModelDiagnostics/teacherAgreement``. A teacher's hidden states are those of its student.
  private func agreement(with teacher: ContinuousLanguageModel) -> Diagnostic {
    precondition(canAgree(with: teacher), "the teacher has another head or other sizes")
    return Diagnostic(count: 1) { positions in
      let count = positions.samples.tokens.shape[0]
      // Copies of a generator give both models the same noise.
      let seed = UInt64(positions.generator.uniform([1], in: 0..<Double(1 << 24)).item())
      let tokens = try [self, teacher].map { model in
        try model.chunkSamples(
          positions.hidden, count: count,
          generator: Generator(seed: seed, device: positions.hidden.device)
        ).tokens
      }
      return [tokens[0].equals(tokens[1]).to(.float32).mean().item()]
    } store: {
      $1.teacherAgreement = $0[0]
    }
  }
}

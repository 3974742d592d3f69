import Torch

/// Continuous batching of an ``AutoregressiveModel``.
package final class AutoregressiveBatch: BatchModel {
  private let model: AutoregressiveModel
  private var configuration: AutoregressiveConfiguration { model.configuration }
  private var device: Device { model.outputWeight.device }

  package init(_ model: AutoregressiveModel) {
    self.model = model
  }

  package var chunkSize: Int { 1 }
  package var maximumTokens: Int { configuration.transformer.maximumPositions }
  package var bytesPerPosition: Int { configuration.transformer.cacheBytes(model.backbone.embedding.weight.dtype) }
  package var samplers: [GenerationOptions.Sampler] { AutoregressiveConfiguration.samplers }
  package var hasDocumentEnds: Bool { configuration.hasDocumentEnds }

  package func sequence(prompt: [Int32], options: GenerationOptions, index: Int) throws -> BatchSequence {
    try options.chosenSampler(among: samplers)
    let layout = try PromptLayout(
      prompt, continuesText: options.continuesText, chunkSize: 1, vocabularySize: configuration.vocabularySize,
      special: configuration.special, hasDocumentEnds: hasDocumentEnds)
    return BatchSequence(
      layout, options: options, index: index, chunkSize: 1, samplesTokenByToken: true,
      layers: configuration.transformer.layers, device: device)
  }

  package func read(_ sequence: BatchSequence) -> Int {
    if !sequence.isReading { return 0 }
    if sequence.prompt.count == 1 {
      sequence.readInNextStep(latent: nil)
      return 1
    }
    return withoutGradients {
      if !sequence.hasDocumentStarts {
        sequence.hasDocumentStarts = true
        sequence.documentStarts = configuration.transformer.documentStarts(
          of: ids(sequence.prompt).reshaped(1, -1), chunkSize: 1, special: configuration.special, context: nil)
      }
      let piece = nextPiece(of: sequence)
      let hidden = model.backbone(
        model.backbone.embedding(ids(piece.ids).reshaped(1, -1)),
        from: sequence.documentStarts?.narrowed(1, piece.positions), context: sequence.context)
      if !sequence.isReading {
        sequence.hidden = hidden.selected(1, piece.positions.count - 1)
        sequence.documentStarts = nil
      }
      return piece.positions.count
    }
  }

  package func step(_ sequences: [BatchSequence]) -> [Result<GeneratedChunk?, any Error>] {
    withoutGradients {
      readLatest(of: sequences.filter { !$0.latestIsRead })
      return sampled(sequences)
    }
  }

  /// Reads the latest tokens.
  private func readLatest(of sequences: [BatchSequence]) {
    if sequences.isEmpty { return }
    let inputs = model.backbone.embedding(ids(sequences.flatMap(\.latest.tokens)))
    let hidden = model.backbone.step(inputs, contexts: sequences.map(\.context))
    for (row, sequence) in sequences.enumerated() {
      (sequence.hidden, sequence.latestIsRead) = (hidden.narrowed(0, row..<row + 1), true)
    }
  }

  /// Samples the next token of each sequence.
  private func sampled(_ sequences: [BatchSequence]) -> [Result<GeneratedChunk?, any Error>] {
    if sequences.isEmpty { return [] }
    let vocabulary = configuration.vocabularySize
    let logits = keepingRowsApart { model.logits(.concatenated(sequences.compactMap(\.hidden))) }
    return logits.withUnsafeBytes { bytes in
      let logits = bytes.bindMemory(to: Float.self)
      return sequences.enumerated().map { row, sequence in
        let choice = TokenChoice(sequence.options)
        let own = UnsafeBufferPointer(rebasing: logits[row * vocabulary..<(row + 1) * vocabulary])
        return Result {
          let token = Int32(try choice(own, using: &sequence.tokenGenerator))
          sequence.latestIsRead = false
          sequence.latest = ([token], nil)
          return sequence.append([token], ends: configuration.special.ends)
        }
      }
    }
  }

  private func ids(_ tokens: [Int32]) -> Tensor { Tensor(tokens.map(Int64.init), device: device) }
}

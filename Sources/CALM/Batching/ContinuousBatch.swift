import Torch

/// Continuous batching of a ``ContinuousLanguageModel``.
package final class ContinuousBatch: BatchModel {
  private let model: ContinuousLanguageModel
  private var configuration: LanguageModelConfiguration { model.configuration }
  private var device: Device { model.backbone.embedding.weight.device }

  package init(_ model: ContinuousLanguageModel) {
    self.model = model
  }

  package var chunkSize: Int { configuration.chunkSize }
  package var maximumTokens: Int { configuration.transformer.maximumPositions * chunkSize }
  package var bytesPerPosition: Int { configuration.transformer.cacheBytes(model.backbone.embedding.weight.dtype) }
  package var hasProbabilities: Bool { false }
  package var hasDocumentEnds: Bool { configuration.hasDocumentEnds }

  package func sequence(prompt: [Int32], options: GenerationOptions, index: Int) throws -> BatchSequence {
    try options.validate(probabilities: false)
    let layout = try PromptLayout(
      prompt, continuesText: options.continuesText, chunkSize: chunkSize,
      vocabularySize: configuration.vocabularySize, special: configuration.special, hasDocumentEnds: hasDocumentEnds)
    return BatchSequence(
      layout, options: options, index: index, chunkSize: chunkSize, layers: configuration.layers, device: device)
  }

  package func read(_ sequence: BatchSequence) -> Int {
    if !sequence.isReading { return 0 }
    return withoutGradients {
      if !sequence.hasDocumentStarts {
        sequence.hasDocumentStarts = true
        sequence.documentStarts = configuration.transformer.documentStarts(
          of: ids([sequence.prompt]), chunkSize: chunkSize, special: configuration.special, context: nil)
      }
      let piece = nextPiece(of: sequence)
      let hidden = model.backbone(
        model.inputs(ids([piece.ids]), latents: nil), from: sequence.documentStarts?.narrowed(1, piece.positions),
        context: sequence.context)
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
      let isSimple = sequences.map { $0.options.temperature == 1 && $0.beginning.isEmpty }
      var samples = sampled(zip(sequences, isSimple).filter(\.1).map(\.0))[...]
      return zip(sequences, isSimple).map { sequence, isSimple in
        Result {
          guard isSimple else { return try chosen(sequence).map { append($0, to: sequence) } }
          guard let choice = samples.removeFirst() else { throw GenerationError.notFinite }
          return append(choice, to: sequence)
        }
      }
    }
  }

  /// Reads the latest chunks.
  private func readLatest(of sequences: [BatchSequence]) {
    for range in RowBlocks.ranges(sequences.count) {
      let block = sequences[range]
      let latents = configuration.input.hasLatents ? Tensor.stacked(block.compactMap(\.latest.latent)) : nil
      let inputs = model.inputs(
        RowBlocks.padded(ids(block.map(\.latest.tokens))), latents: latents.map { RowBlocks.padded($0) })
      let hidden = model.backbone.step(inputs.selected(1, 0), contexts: block.map(\.context))
      for (row, sequence) in block.enumerated() {
        (sequence.hidden, sequence.latestIsRead) = (hidden.narrowed(0, row..<row + 1), true)
      }
    }
  }

  /// One sample of the next chunk of each sequence; nil where the model computed a number that is not finite.
  private func sampled(_ sequences: [BatchSequence]) -> [ChunkSampler.Choice?] {
    RowBlocks.ranges(sequences.count).flatMap { range -> [ChunkSampler.Choice?] in
      let block = sequences[range]
      let noise = block.map { model.head.noise(samples: 1, positions: 1, generator: $0.randomness.noise) }
      let hidden = block.compactMap(\.hidden)
      for sequence in block { sequence.randomness.samples += 1 }
      switch model.head {
      case let head as any LatentHead:
        let latents = head(
          RowBlocks.padded(.concatenated(hidden)), noise: RowBlocks.padded(.concatenated(noise, along: 1), along: 1)
        ).selected(0, 0)
        let chunks = model.tokenDecoder.chunks(latents)
        return block.indices.map { index in
          let row = index - block.startIndex
          return chunks[row].map {
            ChunkSampler.Choice(tokens: $0, latent: latents.narrowed(0, row..<row + 1), isForced: false)
          }
        }
      case let head as any TokenHead:
        // The error of a block does not say which of its rows is not finite.
        let rows = tokens(head, hidden, noise) ?? zip(hidden, noise).map { tokens(head, [$0], [$1])?[0] }
        return rows.map { $0.map { ChunkSampler.Choice(tokens: $0, latent: nil, isForced: false) } }
      default: preconditionFailure("a head samples latents or tokens")
      }
    }
  }

  /// A chunk of tokens for each of a few hidden states, [1, h]; nil if a number is not finite.
  private func tokens(_ head: some TokenHead, _ hidden: [Tensor], _ noise: [Tensor]) -> [[Int32]?]? {
    // Some heads have several rows for each hidden state.
    let tokens = try? RowBlocks.keepingRowsApart {
      try head.tokens(
        RowBlocks.padded(.concatenated(hidden)), noise: RowBlocks.padded(.concatenated(noise, along: 1), along: 1),
        vocabulary: model.backbone.embedding.weight)
    }
    return tokens.map { tokens in
      let ids = tokens.elements(as: Int32.self)
      return hidden.indices.map { Array(ids[$0 * chunkSize..<($0 + 1) * chunkSize]) }
    }
  }

  /// The next chunk of one sequence at a temperature, or given its first tokens; nil if it needs more samples.
  private func chosen(_ sequence: BatchSequence) throws -> ChunkSampler.Choice? {
    guard let hidden = sequence.hidden else { preconditionFailure("a sequence was not read") }
    let sampler = ChunkSampler(
      model: model, options: sequence.options, temperature: try Temperature(sequence.options.temperature))
    if sequence.search == nil {
      sequence.search = sampler.search(hidden, beginning: sequence.beginning, randomness: sequence.randomness)
    }
    if let choice = try sequence.search?.advance() {
      sequence.search = nil
      return choice
    }
    if sequence.search != nil { return nil }
    return try sampler(hidden, beginning: [], randomness: [sequence.randomness])[0]
  }

  private func append(_ choice: ChunkSampler.Choice, to sequence: BatchSequence) -> GeneratedChunk {
    let known = sequence.beginning.count
    sequence.beginning = []
    sequence.latestIsRead = false
    let latent = configuration.input.hasLatents ? choice.latent ?? model.encodedLatent(of: choice.tokens) : nil
    sequence.latest = (choice.tokens, latent)
    if choice.isForced { sequence.generated.forcedPrefix = true }
    return sequence.append(choice.tokens[known...], ends: configuration.special.ends)
  }

  /// Rows of equal length, [rows, tokens].
  private func ids(_ rows: [[Int32]]) -> Tensor {
    Tensor(rows.flatMap { $0.map(Int64.init) }, shape: [rows.count, rows[0].count], device: device)
  }
}

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
  package var samplers: [GenerationOptions.Sampler] { configuration.samplers }
  package var hasDocumentEnds: Bool { configuration.hasDocumentEnds }

  package func sequence(prompt: [Int32], options: GenerationOptions, index: Int) throws -> BatchSequence {
    try options.chosenSampler(among: samplers)
    let layout = try PromptLayout(
      prompt, continuesText: options.continuesText, chunkSize: chunkSize,
      vocabularySize: configuration.vocabularySize, special: configuration.special, hasDocumentEnds: hasDocumentEnds)
    return BatchSequence(
      layout, options: options, index: index, chunkSize: chunkSize,
      samplesTokenByToken: model.head.samplesTokenByToken, layers: configuration.layers, device: device)
  }

  package func read(_ sequence: BatchSequence) -> Int {
    if !sequence.isReading { return 0 }
    if sequence.prompt.count == chunkSize {
      sequence.readInNextStep(latent: configuration.input.hasLatents ? model.encodedLatent(of: sequence.prompt) : nil)
      return 1
    }
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
      let pooled = pooledChunks(sequences)
      return sequences.indices.map { index in
        Result {
          let sequence = sequences[index]
          if sequence.maySearch { return try searchedChunk(sequence).map { append($0, to: sequence) } }
          guard let choice = pooled[index] else { throw GenerationError.notFinite }
          return append(choice, to: sequence)
        }
      }
    }
  }

  /// Reads the latest chunks.
  private func readLatest(of sequences: [BatchSequence]) {
    if sequences.isEmpty { return }
    let latents = configuration.input.hasLatents ? Tensor.stacked(sequences.compactMap(\.latest.latent)) : nil
    let inputs = keepingRowsApart { model.inputs(ids(sequences.map(\.latest.tokens)), latents: latents) }
    let hidden = model.backbone.step(inputs.selected(1, 0), contexts: sequences.map(\.context))
    for (row, sequence) in sequences.enumerated() {
      (sequence.hidden, sequence.latestIsRead) = (hidden.narrowed(0, row..<row + 1), true)
    }
  }

  /// The options that sequences must share for their candidates to be sampled in one batch.
  private struct PoolOptions: Hashable {
    let sampler: GenerationOptions.Sampler?
    let choice: TokenChoice
    let candidates: Int

    init(_ options: GenerationOptions) {
      (sampler, choice, candidates) = (options.sampler, TokenChoice(options), options.candidates)
    }
  }

  /// The next chunks of the sequences that take candidates, by index; none where the model computed a number that is
  /// not finite.
  private func pooledChunks(_ sequences: [BatchSequence]) -> [Int: ChunkSampler.Choice] {
    let pooled = sequences.indices.filter { !sequences[$0].maySearch }
    let groups = Dictionary(grouping: pooled) { PoolOptions(sequences[$0].options) }
    var chunks: [Int: ChunkSampler.Choice] = [:]
    for group in groups.values {
      let hidden = Tensor.concatenated(group.map { hiddenState(of: sequences[$0]) })
      let choices = keepingRowsApart {
        sampler(for: sequences[group[0]]).pooled(
          hidden, beginnings: group.map { sequences[$0].beginning },
          randomness: group.map { sequences[$0].randomness })
      }
      for (index, choice) in zip(group, choices) { chunks[index] = choice }
    }
    return chunks
  }

  /// The next chunk of one sequence by a search; nil if it needs more samples.
  private func searchedChunk(_ sequence: BatchSequence) throws -> ChunkSampler.Choice? {
    if sequence.search == nil {
      sequence.search = sampler(for: sequence).search(
        hiddenState(of: sequence), beginning: sequence.beginning, randomness: sequence.randomness)
    }
    guard let choice = try sequence.search?.advance() else { return nil }
    sequence.search = nil
    return choice
  }

  private func sampler(for sequence: BatchSequence) -> ChunkSampler {
    guard let sampler = try? ChunkSampler(model: model, options: sequence.options) else {
      preconditionFailure("the options of a sequence were not validated")
    }
    return sampler
  }

  private func hiddenState(of sequence: BatchSequence) -> Tensor {
    guard let hidden = sequence.hidden else { preconditionFailure("a sequence was not read") }
    return hidden
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

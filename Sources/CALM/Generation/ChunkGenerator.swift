import Torch

/// Generates sequences of tokens from a prompt, one chunk per step.
///
/// A step samples the next latent of every sequence, decodes it to K tokens, and feeds those back into the Transformer
/// (or the latent itself: ``ModelInput``), which caches its keys and values. The sequences run as one batch.
///
/// ```swift
/// let generator = try ChunkGenerator(model, prompt: ids, options: options)
/// while let chunks = try generator.step() {
///   for chunk in chunks { show(chunk.tokens, of: chunk.sequence) }
/// }
/// ```
///
/// The same seed gives the same tokens on the same machine with the same number of threads. Each sequence has random
/// numbers of its own: it does not depend on the number of sequences, up to the rounding of products of different
/// shapes. The generator computes in the type of the model's parameters.
public final class ChunkGenerator: SequenceGenerator {
  /// How text is generated.
  public let options: GenerationOptions
  /// The sequences generated so far.
  public private(set) var sequences: [GeneratedSequence]
  /// The hidden states from which the latest chunks were sampled, [sequences, h].
  package private(set) var hidden: Tensor

  private let model: ContinuousLanguageModel
  private let sampler: ChunkSampler
  private let randomness: [SequenceRandomness]
  private let context: Backbone.Context
  /// The last tokens of the prompt, which begin the first chunk.
  private var beginning: [Int32]
  /// The latest chunk of each sequence. A sequence that has ended keeps its chunk and its row of the batch, unused.
  private var latest: [[Int32]]
  /// Their latents, [1, l] each, if the model reads latents.
  private var latents: [Tensor] = []
  /// Whether the Transformer has read the latest chunks.
  private var latestIsRead = true

  /// Reads the prompt.
  ///
  /// - Parameters:
  ///   - model: the model; generation runs on its device, in the type of its parameters.
  ///   - prompt: token ids; may be empty.
  ///   - options: the sampling options.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  public init(_ model: ContinuousLanguageModel, prompt: [Int32], options: GenerationOptions) throws {
    sampler = try ChunkSampler(model: model, options: options)
    let sizes = model.configuration
    let layout = try PromptLayout(
      prompt, continuesText: options.continuesText, chunkSize: sizes.chunkSize, vocabularySize: sizes.vocabularySize,
      special: sizes.special, hasDocumentEnds: sizes.hasDocumentEnds)
    let device = model.backbone.embedding.weight.device
    self.options = options
    self.model = model
    sequences = Array(repeating: GeneratedSequence(), count: options.sequences)
    randomness = (0..<options.sequences).map {
      SequenceRandomness(seed: options.seed, sequence: $0, device: device)
    }
    beginning = layout.rest
    latest = Array(repeating: Array(layout.chunks.suffix(model.configuration.chunkSize)), count: options.sequences)
    let context = Backbone.Context(layers: model.configuration.layers)
    self.context = context
    let ids = Array(repeating: layout.chunks, count: options.sequences)
    hidden = Self.lastHidden(model, ids, latents: nil, context: context)
    if sizes.input.hasLatents { latents = latest.map(model.encodedLatent) }
  }

  /// Samples the next chunk of every sequence that has not ended.
  ///
  /// - Returns: the chunks, by ascending sequence; nil if all sequences have ended.
  /// - Throws: ``GenerationError/notFinite``; with the exact sampler, ``TemperatureError`` or ``GenerationError`` if it
  ///   reaches the maximum number of samples.
  public func step() throws -> [GeneratedChunk]? {
    let running = sequences.indices.filter { sequences[$0].end == nil }
    if running.isEmpty { return nil }
    // The latest chunk is read only now: a sequence that ends with it needs no further hidden state.
    if !latestIsRead {
      hidden = Self.lastHidden(
        model, latest, latents: latents.isEmpty ? nil : Tensor.stacked(latents), context: context)
      latestIsRead = true
    }
    let choices = try withoutGradients {
      let rows =
        running.count == sequences.count
        ? hidden : hidden.gathered(0, Tensor(running.map(Int64.init), device: hidden.device))
      return try sampler(rows, beginning: beginning, randomness: running.map { randomness[$0] })
    }
    let known = beginning.count
    beginning = []
    latestIsRead = false
    return zip(running, choices).map { sequence, choice in
      latest[sequence] = choice.tokens
      if !latents.isEmpty { latents[sequence] = choice.latent ?? model.encodedLatent(of: choice.tokens) }
      if choice.isForced { sequences[sequence].forcedPrefix = true }
      return sequences[sequence].append(
        choice.tokens[known...], sequence: sequence, endTokens: model.configuration.special.ends,
        maximum: options.maximumTokens)
    }
  }

  /// The hidden state after the last chunk of each sequence, [sequences, h].
  private static func lastHidden(
    _ model: ContinuousLanguageModel, _ ids: [[Int32]], latents: Tensor?, context: Backbone.Context
  ) -> Tensor {
    let tensor = Tensor(
      ids.flatMap { $0.map(Int64.init) }, shape: [ids.count, ids[0].count],
      device: model.backbone.embedding.weight.device)
    return withoutGradients {
      let hidden = model.hiddenStates(tensor, latents: latents, context: context)
      return hidden.selected(1, hidden.shape[1] - 1)
    }
  }
}

import CALMSupport
import Torch

/// A sequence that is generated in a batch of changing sequences: see ``BatchModel``.
package final class BatchSequence {
  /// How it is generated. The number of sequences does not apply.
  package let options: GenerationOptions
  /// The tokens generated so far.
  package internal(set) var generated = GeneratedSequence()
  /// The maximum number of positions that its cache holds.
  package let maximumPositions: Int
  /// Whether the model has yet to read a part of the prompt.
  package var isReading: Bool { !unread.isEmpty }
  /// Whether the next chunk may take several steps, with up to ``GenerationOptions/maximumSamples`` samples.
  package var maySearch: Bool {
    (options.sampler == .exact && options.temperature != 1) || (!beginning.isEmpty && !samplesTokenByToken)
  }

  /// The number of chunks sampled so far, most of which are candidates; 0 for a model with probabilities.
  package var samples: Int { randomness.samples }

  /// Tokens per position.
  let chunkSize: Int
  /// Whether the model samples the tokens of a chunk one after the other.
  private let samplesTokenByToken: Bool
  /// The keys and values of the positions read so far.
  let context: Backbone.Context
  /// The whole chunks of the prompt, and those of them that are not read yet.
  let prompt: [Int32]
  var unread: ArraySlice<Int32>
  /// The last tokens of the prompt, with which the first chunk begins.
  var beginning: [Int32]
  /// The search for the next chunk; nil if it has not begun.
  var search: (any ChunkSearch)?
  /// The first position that each position of the prompt sees, [1, positions]; nil if all see the beginning, or before
  /// the prompt is read.
  var documentStarts: Tensor?
  /// Whether ``documentStarts`` are those of the prompt.
  var hasDocumentStarts = false
  /// The hidden state after the last position read, [1, h]; nil while the prompt is read.
  package internal(set) var hidden: Tensor?
  /// Whether the model has read the latest chunk, so that the next one is sampled from ``hidden``.
  var latestIsRead = true
  /// The latest chunk, and for a model that reads latents its latent, [1, l].
  var latest: (tokens: [Int32], latent: Tensor?) = ([], nil)
  /// The random numbers of chunks.
  let randomness: SequenceRandomness
  /// The random numbers of single tokens.
  var tokenGenerator: SeededGenerator

  /// - Parameters:
  ///   - index: that of the sequence among those of its seed.
  ///   - chunkSize: tokens per position.
  ///   - samplesTokenByToken: whether the model samples the tokens of a chunk one after the other.
  init(
    _ layout: PromptLayout, options: GenerationOptions, index: Int, chunkSize: Int, samplesTokenByToken: Bool,
    layers: Int, device: Device
  ) {
    (self.options, self.chunkSize, self.samplesTokenByToken) = (options, chunkSize, samplesTokenByToken)
    maximumPositions = Self.positions(
      promptChunks: layout.chunks.count / chunkSize, rest: layout.rest.count, options: options, chunkSize: chunkSize)
    context = Backbone.Context(layers: layers, maximum: maximumPositions)
    prompt = layout.chunks
    unread = layout.chunks[...]
    beginning = layout.rest
    randomness = SequenceRandomness(seed: options.seed, sequence: index, device: device)
    tokenGenerator = SeededGenerator(seed: options.seed, stream: UInt64(index))
  }

  /// Makes a prompt of one position the latest chunk, which the next step reads together with those of other sequences.
  ///
  /// - Parameter latent: for a model that reads latents, that of the chunk, [1, l].
  func readInNextStep(latent: Tensor?) {
    precondition(prompt.count == chunkSize, "a prompt of \(prompt.count) tokens")
    (latest, latestIsRead, unread) = ((prompt, latent), false, [])
  }

  /// The positions of a prompt and its continuation. The last chunk is not read.
  static func positions(promptChunks: Int, rest: Int, options: GenerationOptions, chunkSize: Int) -> Int {
    let tokens = rest.addingReportingOverflow(options.maximumTokens)
    return promptChunks + (tokens.overflow ? .max / 2 : (tokens.partialValue - 1) / chunkSize)
  }
}

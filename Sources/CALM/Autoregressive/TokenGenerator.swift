import CALMCorpus
import CALMSupport
import Torch

/// Generates sequences of tokens from a prompt with an autoregressive model, one token per step.
///
/// It is the counterpart of ``ChunkGenerator``, with the same options and results. Given logits, sampling at any
/// temperature is exact, so the options of the samplers without likelihoods do not apply.
public final class TokenGenerator: SequenceGenerator {
  /// The sampling options.
  public let options: GenerationOptions
  /// The sequences generated so far.
  public private(set) var sequences: [GeneratedSequence]

  private let model: AutoregressiveModel
  private let choice: TokenChoice
  private var generators: [SeededGenerator]
  private let context: Backbone.Context
  /// The tokens of each sequence that the Transformer has not read yet.
  private var unread: [[Int32]]

  /// Creates a generator for a prompt.
  ///
  /// - Parameters:
  ///   - model: the model; generation runs on its device, in the type of its parameters.
  ///   - prompt: token ids; may be empty.
  ///   - options: the sampling options.
  /// - Throws: ``GenerationError``, ``TemperatureError``.
  public init(_ model: AutoregressiveModel, prompt: [Int32], options: GenerationOptions) throws {
    try options.chosenSampler(among: AutoregressiveConfiguration.samplers)
    let sizes = model.configuration
    let layout = try PromptLayout(
      prompt, continuesText: options.continuesText, chunkSize: 1, vocabularySize: sizes.vocabularySize,
      special: sizes.special, hasDocumentEnds: sizes.hasDocumentEnds)
    self.model = model
    self.options = options
    choice = TokenChoice(options)
    sequences = Array(repeating: GeneratedSequence(), count: options.sequences)
    generators = (0..<options.sequences).map { SeededGenerator(seed: options.seed, stream: UInt64($0)) }
    context = Backbone.Context(layers: sizes.transformer.layers)
    unread = Array(repeating: layout.chunks, count: options.sequences)
  }

  /// Samples the next token of every sequence that has not ended; returns nil if all have.
  ///
  /// - Throws: ``GenerationError/notFinite``.
  public func step() throws -> [GeneratedChunk]? {
    let running = sequences.indices.filter { sequences[$0].end == nil }
    if running.isEmpty { return nil }
    let sampled = try nextTokens(of: running)
    for (sequence, token) in zip(running, sampled) { unread[sequence] = [token] }
    return zip(running, sampled).map { sequence, token in
      sequences[sequence].append(
        [token], sequence: sequence, endTokens: model.configuration.special.ends, maximum: options.maximumTokens)
    }
  }

  /// Reads the unread tokens, and samples a token for each of the given sequences.
  private func nextTokens(of running: [Int]) throws -> [Int32] {
    try withoutGradients {
      let device = model.outputWeight.device
      let ids = Tensor(
        unread.flatMap { $0.map(Int64.init) }, shape: [unread.count, unread[0].count], device: device)
      let hidden = model.hiddenStates(ids, context: context)
      let last = hidden.selected(1, hidden.shape[1] - 1)
        .gathered(0, Tensor(running.map(Int64.init), device: device))
      let vocabulary = model.configuration.vocabularySize
      return try model.logits(last).withUnsafeBytes { bytes in
        let logits = bytes.bindMemory(to: Float.self)
        return try running.enumerated().map { row, sequence in
          let own = UnsafeBufferPointer(rebasing: logits[row * vocabulary..<(row + 1) * vocabulary])
          return Int32(try choice(own, using: &generators[sequence]))
        }
      }
    }
  }
}

import CALM
import CALMCorpus
import CALMSupport
import Torch

/// Random models that generate in milliseconds and whose next chunk depends on all earlier ones.
enum TinyGenerator {
  /// The padding and end ids of these models.
  static let special = SpecialTokens(padding: 0, end: 1)

  /// A model with weights large enough for its samples to differ.
  ///
  /// - Parameter latentDeviation: the deviation of the head's last weights; larger values make more chunks likely.
  static func model(
    vocabulary: Int = 12, chunkSize: Int = 4, special: SpecialTokens = special, hasDocumentEnds: Bool = true,
    latentDeviation: Double = 0.5, input: ModelInput = .tokens, seed: UInt64 = 1
  ) -> ContinuousLanguageModel {
    let generator = Generator(seed: seed)
    var small = AutoencoderConfiguration(
      vocabularySize: vocabulary, chunkSize: chunkSize, latentSize: 8, hiddenSize: 32, special: special)
    small.initializerRange = 0.3
    var configuration = LanguageModelConfiguration(
      vocabularySize: vocabulary, chunkSize: chunkSize, latentSize: 8, hiddenSize: 32, layers: 2, attentionHeads: 4,
      keyValueHeads: 2, headBlocks: 2, special: special)
    configuration.initializerRange = 0.2
    configuration.noiseSize = 16
    configuration.input = input
    configuration.hasDocumentEnds = hasDocumentEnds
    let model = ContinuousLanguageModel(
      configuration, autoencoder: Autoencoder(small, generator: generator), generator: generator)
    withoutGradients {
      // Zeros, with which training starts, would make all samples equal.
      for parameter in model.namedParameters() where parameter.name == "mlp_generator.final_layer.linears.2.weight" {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: latentDeviation))
      }
    }
    return model
  }

  /// Options for a test.
  static func options(
    temperature: Double = 1, seed: UInt64 = 5, adjusting adjust: (inout GenerationOptions) -> Void = { _ in }
  ) throws -> GenerationOptions {
    var options = GenerationOptions(temperature: temperature, seed: seed)
    adjust(&options)
    return options
  }

  /// Ids that are neither padding nor end.
  static func prompt(_ count: Int, vocabulary: Int = 12, seed: UInt64 = 3) -> [Int32] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Int32(2 + generator.uniform(below: vocabulary - 2)) }
  }
}

extension ContinuousLanguageModel {
  /// The last hidden state of a sequence of whole chunks, computed without any cache, [1, h].
  func recomputedHidden(_ ids: [Int32]) -> Tensor {
    withoutGradients {
      let hidden = hiddenStates(Tensor(ids.map(Int64.init), shape: [1, ids.count]))
      return hidden.selected(1, hidden.shape[1] - 1)
    }
  }

  /// Chunks sampled after a sequence of whole chunks, with public functions only.
  func chunks(after ids: [Int32], count: Int, generator: Generator) -> [[Int32]] {
    withoutGradients {
      let latents = sampleLatents(recomputedHidden(ids), count: count, generator: generator)
      let tokens = knownAutoencoder.decode(latents.reshaped(count, -1)).elements(as: Int32.self)
      let k = configuration.chunkSize
      return (0..<count).map { Array(tokens[$0 * k..<($0 + 1) * k]) }
    }
  }
}

extension ChunkGenerator {
  /// Generates until every sequence has ended.
  func run() throws -> [GeneratedSequence] {
    while try step() != nil {}
    return sequences
  }
}

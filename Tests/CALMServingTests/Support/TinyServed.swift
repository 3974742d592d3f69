import CALM
import CALMServing
import CALMTokenizer
import Foundation
import Torch

/// Random models that generate in milliseconds, with a tokenizer of bytes.
enum TinyServed {
  static let vocabularySize = 259

  static func tokenizer() throws -> Tokenizer {
    var trainer = try BPETrainer(vocabularySize: vocabularySize)
    trainer.add("abc")
    return try trainer.train()
  }

  enum Kind: CaseIterable {
    case energy, tokens, autoregressive
  }

  static func model(_ kind: Kind) throws -> ServedModel {
    switch kind {
    case .energy: try continuous()
    case .tokens: try tokens()
    case .autoregressive: try autoregressive()
    }
  }

  /// A continuous model with an energy head.
  ///
  /// - Parameters:
  ///   - canEnd: whether it has an end token, which it may generate.
  ///   - damaged: an id whose embedding is NaN.
  static func continuous(canEnd: Bool = false, damaged: Int? = nil) throws -> ServedModel {
    ServedModel(ContinuousBatch(continuousModel(canEnd: canEnd, damaged: damaged)), tokenizer: try tokenizer())
  }

  static func continuousModel(canEnd: Bool = false, damaged: Int? = nil) -> ContinuousLanguageModel {
    let special = canEnd ? SpecialTokens(padding: 0, beginning: 1, end: 2) : SpecialTokens(padding: 0)
    let generator = Generator(seed: 1)
    var small = AutoencoderConfiguration(
      vocabularySize: vocabularySize, chunkSize: 4, latentSize: 8, hiddenSize: 32, special: special)
    small.initializerRange = 0.3
    var configuration = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: 4, latentSize: 8, hiddenSize: 32, layers: 2, attentionHeads: 4,
      keyValueHeads: 2, headBlocks: 2, special: special)
    configuration.noiseSize = 16
    configuration.transformer.maximumPositions = 256
    let model = ContinuousLanguageModel(
      configuration, autoencoder: Autoencoder(small, generator: generator), generator: generator)
    withoutGradients {
      // Zeros, with which training starts, would make all samples equal.
      for parameter in model.namedParameters() where parameter.name == "mlp_generator.final_layer.linears.2.weight" {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 2))
      }
      if let damaged { model.backbone.embedding.weight.selected(0, damaged).fill(.nan) }
    }
    return model
  }

  /// A continuous model with a tokens head.
  static func tokens() throws -> ServedModel {
    var configuration = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: 4, latentSize: 8, hiddenSize: 32, layers: 2, attentionHeads: 4,
      keyValueHeads: 2, headBlocks: 2, special: SpecialTokens(padding: 0))
    configuration.head = .tokens
    configuration.transformer.maximumPositions = 256
    // With likely tokens, so that some candidates are equal.
    configuration.transformer.initializerRange = 0.5
    let generator = Generator(seed: 1)
    let model = ContinuousLanguageModel(configuration, autoencoder: nil, generator: generator)
    withoutGradients {
      // Zeros, with which training starts, would make the tokens of a chunk independent.
      for parameter in model.namedParameters() where parameter.name == "tokens_head.output.linear.weight" {
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: 1))
      }
    }
    return ServedModel(ContinuousBatch(model), tokenizer: try tokenizer())
  }

  /// An autoregressive model.
  static func autoregressive() throws -> ServedModel {
    var shape = TransformerShape(hiddenSize: 32, layers: 2, attentionHeads: 4, keyValueHeads: 2)
    shape.maximumPositions = 256
    let model = AutoregressiveModel(
      AutoregressiveConfiguration(
        vocabularySize: vocabularySize, transformer: shape, special: SpecialTokens(padding: 0, end: 2)),
      generator: Generator(seed: 3))
    return ServedModel(AutoregressiveBatch(model), tokenizer: try tokenizer())
  }

  /// A request for the given number of tokens.
  static func request(
    _ prompt: String = "Ada went", tokens: Int = 24, temperature: Double = 1, seed: UInt64 = 5, choices: Int = 1,
    stops: [String] = []
  ) throws -> EngineRequest {
    EngineRequest(
      prompts: [try tokenizer().encode(prompt)],
      options: GenerationOptions(
        temperature: temperature, candidates: 20, maximumTokens: tokens, sequences: choices, seed: seed),
      stops: stops)
  }
}

/// A choice as a client receives it.
struct ReceivedChoice: Hashable {
  var text = ""
  var tokens = 0
  var finish: FinishReason?
}

/// Collects the choices of a stream.
func received(_ stream: Scheduler.Stream) async throws -> [ReceivedChoice] {
  var choices: [ReceivedChoice] = []
  for try await piece in stream {
    while choices.count <= piece.choice { choices.append(ReceivedChoice()) }
    choices[piece.choice].text += piece.text
    choices[piece.choice].tokens += piece.tokens
    choices[piece.choice].finish = piece.finish
  }
  return choices
}

import CALM
import Foundation
import Testing
import Torch

@Suite("config.json")
struct ConfigurationTests {
  private func languageModel(_ json: String) throws -> LanguageModelConfiguration {
    try JSONDecoder().decode(LanguageModelConfiguration.self, from: Data(json.utf8))
  }

  private func autoencoder(_ json: String) throws -> AutoencoderConfiguration {
    try JSONDecoder().decode(AutoencoderConfiguration.self, from: Data(json.utf8))
  }

  @Test("missing keys of config.json have the official defaults")
  func defaults() throws {
    let model = try languageModel("{}")
    #expect(model.vocabularySize == 32000 && model.chunkSize == 4 && model.latentSize == 128)
    #expect(model.hiddenSize == 768 && model.intermediateSize == 2048 && model.layers == 12)
    #expect(model.attentionHeads == 12 && model.keyValueHeads == 12 && model.headBlocks == 4)
    #expect(model.noiseSize == 64 && model.samples == 8 && model.exponent == 1 && model.normEpsilon == 1e-6)
    #expect(model.ropeTheta == 10_000 && model.ropeScaling == .none && model.maximumPositions == 2048)
    #expect(model.activation == .silu && !model.hasAttentionBias && !model.hasMLPBias)
    #expect(model.special == SpecialTokens(padding: nil, beginning: 1, end: 2))
    let sizes = try autoencoder("{}")
    #expect(sizes.vocabularySize == 32000 && sizes.hiddenSize == 512 && sizes.intermediateSize == 1280)
    #expect(sizes.encoderLayers == 2 && sizes.decoderLayers == 2 && sizes.isVariational)
    #expect(sizes.latentDropout == 0.15 && sizes.klWeight == 1e-3 && sizes.klClamp == 0.5)
  }

  @Test(
    "a null number of key and value heads means that of the attention heads, and a missing one means the official 12")
  func keyValueHeads() throws {
    #expect(
      try languageModel(#"{"num_attention_heads": 24, "num_key_value_heads": null}"#).keyValueHeads == 24)
    #expect(try languageModel(#"{"num_attention_heads": 24}"#).keyValueHeads == 12)
  }

  @Test("supported settings are read, and the error for an unsupported one names it")
  func settings() throws {
    let model = try languageModel(
      #"{"hidden_act": "gelu", "attention_bias": true, "mlp_bias": true, "rope_scaling": {"type": "linear", "factor": 2}}"#
    )
    #expect(model.activation == .gelu && model.hasAttentionBias && model.hasMLPBias)
    #expect(model.ropeScaling == .linear(factor: 2))
    for (json, name) in [
      (#"{"hidden_act": "softmax"}"#, "softmax"), (#"{"attention_dropout": 0.1}"#, "attention_dropout"),
      (#"{"rope_scaling": {"type": "dynamic", "factor": 2.0}}"#, "dynamic"),
      (#"{"rope_scaling": {"type": "linear", "factor": 0.5}}"#, "rope_scaling"),
      (#"{"partial_rotary_factor": 0.5}"#, "partial_rotary_factor"), (#"{"head_dim": 32}"#, "head_dim"),
      (#"{"architectures": ["MagicTransformer"]}"#, "MagicTransformer"),
      (#"{"model_type": "magic"}"#, "'magic'"), (#"{"model_input": "pixels"}"#, "model_input"),
      (#"{"latent_bound": 0}"#, "latent_bound"), (#"{"num_samples": 1}"#, "num_samples"),
      (#"{"beta": 0}"#, "beta"), (#"{"rope_theta": 0}"#, "rope_theta"),
      (#"{"hidden_size": 0}"#, "hidden_size"), (#"{"hidden_size": 1000000000}"#, "hidden_size"),
      (#"{"num_attention_heads": 7}"#, "attention heads"), (#"{"num_key_value_heads": 5}"#, "key and value heads"),
      (#"{"pad_token_id": -1}"#, "pad_token_id"), (#"{"eos_token_id": 32000}"#, "eos_token_id"),
    ] {
      let error = #expect(throws: DecodingError.self) { try languageModel(json) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(name), "\(json): \(String(describing: error))")
    }
    #expect(throws: DecodingError.self) { try autoencoder(#"{"hidden_act": "softmax"}"#) }
    #expect(try autoencoder(#"{"hidden_act": "relu2", "mlp_bias": true}"#).hasMLPBias)
  }

  @Test("an autoregressive Transformer has the same layer settings with Llama's defaults")
  func autoregressive() throws {
    func read(_ json: String) throws -> AutoregressiveConfiguration {
      try JSONDecoder().decode(AutoregressiveConfiguration.self, from: Data(json.utf8))
    }
    let model = try read(
      #"{"hidden_act": "gelu", "attention_bias": true, "mlp_bias": true, "rope_scaling": {"rope_type": "linear", "factor": 4}}"#
    )
    let shape = model.transformer
    #expect(shape.activation == .gelu && shape.hasAttentionBias && shape.hasMLPBias)
    #expect(shape.ropeScaling == .linear(factor: 4))
    #expect(try read(String(decoding: JSONEncoder().encode(model), as: UTF8.self)) == model)
    #expect(try read(#"{"num_attention_heads": 24}"#).transformer.keyValueHeads == 24)
    for (json, name) in [
      (#"{"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}"#, "low_freq_factor"),
      (#"{"rope_scaling": {"rope_type": "yarn", "factor": 8.0}}"#, "yarn"), (#"{"head_dim": 32}"#, "head_dim"),
      (#"{"hidden_act": "softmax"}"#, "softmax"), (#"{"attention_dropout": 0.1}"#, "attention_dropout"),
      (#"{"eos_token_id": 32000}"#, "eos_token_id"),
    ] {
      let error = #expect(throws: DecodingError.self) { try read(json) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(name), "\(json): \(String(describing: error))")
    }
    var sizes = SmallModels.transformer().configuration
    (sizes.transformer.hasAttentionBias, sizes.transformer.hasMLPBias) = (true, true)
    #expect(AutoregressiveModel(sizes, generator: Generator(seed: 1)).parameterCount == sizes.cost.parameters)
  }

  @Test("an encoded configuration decodes to the same value, even without special tokens")
  func roundTrip() throws {
    var model = LanguageModelConfiguration(vocabularySize: 90, hiddenSize: 48, attentionHeads: 4, keyValueHeads: 2)
    (model.activation, model.hasMLPBias, model.ropeScaling) = (.quickGELU, true, .linear(factor: 1.5))
    #expect(try languageModel(String(decoding: JSONEncoder().encode(model), as: UTF8.self)) == model)
    var sizes = AutoencoderConfiguration(vocabularySize: 90, special: SpecialTokens(padding: 3))
    (sizes.activation, sizes.tokenMasking) = (.mish, 0.25)
    #expect(try autoencoder(String(decoding: JSONEncoder().encode(sizes), as: UTF8.self)) == sizes)
  }

  @Test("the parameter count includes biases")
  func counted() throws {
    let sizes = AutoencoderConfiguration(vocabularySize: 20, chunkSize: 2, latentSize: 4, hiddenSize: 8)
    var biased = sizes
    biased.hasMLPBias = true
    let autoencoder = Autoencoder(biased, generator: Generator(seed: 1))
    #expect(autoencoder.parameterCount == biased.parameterCount)
    #expect(biased.parameterCount > sizes.parameterCount)
    var model = LanguageModelConfiguration(
      vocabularySize: 20, chunkSize: 2, latentSize: 4, hiddenSize: 16, layers: 2, attentionHeads: 4, keyValueHeads: 2)
    (model.hasAttentionBias, model.hasMLPBias, model.activation) = (true, true, .relu)
    let made = ContinuousLanguageModel(model, autoencoder: autoencoder, generator: Generator(seed: 2))
    #expect(made.parameterCount == model.cost(autoencoder: biased).parameters)
  }
}

import CALM
import Foundation
import Testing

/// The members of `config.json` that are read, ignored and refused.
@Suite("The keys of config.json")
struct ConfigurationKeysTests {
  private func llama(_ json: String) throws -> AutoregressiveConfiguration {
    try JSONDecoder().decode(AutoregressiveConfiguration.self, from: Data(json.utf8))
  }

  private func languageModel(_ json: String) throws -> LanguageModelConfiguration {
    try JSONDecoder().decode(LanguageModelConfiguration.self, from: Data(json.utf8))
  }

  private func autoencoder(_ json: String) throws -> AutoencoderConfiguration {
    try JSONDecoder().decode(AutoencoderConfiguration.self, from: Data(json.utf8))
  }

  private func expectRefusal(of json: String, naming name: String, by read: (String) throws -> some Any) {
    let error = #expect(throws: DecodingError.self) { try read(json) }
    guard case .dataCorrupted(let context) = error else {
      Issue.record("\(json): \(String(describing: error))")
      return
    }
    #expect(context.debugDescription.contains(name), "\(context.debugDescription)")
  }

  @Test(
    "the formats of transformers 4 and 5 describe the same rotary embedding",
    arguments: [
      (
        #""rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}"#,
        #""rope_parameters": {"rope_theta": 500000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}"#
      ),
      (
        #""rope_theta": 20000.0, "rope_scaling": {"type": "linear", "factor": 2.5}"#,
        #""rope_parameters": {"rope_theta": 20000.0, "rope_type": "linear", "factor": 2.5}"#
      ),
      (
        #""rope_theta": 130000, "rope_scaling": null"#,
        #""rope_parameters": {"rope_theta": 130000.0, "rope_type": "default"}, "rope_scaling": null"#
      ),
      (#""rope_theta": 130000"#, #""rope_parameters": {"rope_theta": 130000.0, "partial_rotary_factor": 1.0}"#),
      (#""rope_theta": 130000"#, #""rope_theta": 130000.0, "rope_parameters": {"rope_theta": 130000}"#),
    ])
  func rotary(four: String, five: String) throws {
    #expect(try llama("{\(five)}") == llama("{\(four)}"))
    #expect(try languageModel("{\(five)}") == languageModel("{\(four)}"))
    #expect(try llama("{\(five)}").transformer.ropeTheta != 10_000)
  }

  @Test("the error for rotary settings that differ by layer, contradict or are unknown names them")
  func rotaryRefusals() {
    for (json, name) in [
      (
        #"{"rope_parameters": {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}}"#,
        "'full_attention'"
      ),
      (#"{"rope_theta": 10000, "rope_parameters": {"rope_theta": 500000}}"#, "'rope_theta' is both"),
      (
        #"{"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters": {"rope_type": "default"}}"#,
        "'rope_parameters' and 'rope_scaling' differ"
      ),
      (#"{"rope_parameters": {"rope_type": "yarn", "factor": 4}}"#, "'rope_parameters' of type 'yarn'"),
      (#"{"rope_parameters": {"rope_type": "linear", "factor": 4, "beta_fast": 32}}"#, "'beta_fast'"),
      (#"{"rope_parameters": {"partial_rotary_factor": 0.5}}"#, "'partial_rotary_factor'"),
      (#"{"rope_parameters": {"rope_theta": -1}}"#, "'rope_theta' must be above 0"),
    ] {
      expectRefusal(of: json, naming: name, by: llama)
      expectRefusal(of: json, naming: name, by: languageModel)
    }
  }

  @Test("every kind of model rejects, by name, a key that could change its results")
  func unknownKeys() {
    for (json, name) in [
      (#"{"logit_scale": 0.0625}"#, "'logit_scale'"), (#"{"sliding_window": 4096}"#, "'sliding_window'"),
      (#"{"use_sliding_window": true}"#, "'use_sliding_window'"),
      (#"{"rope_interleaved": true}"#, "'rope_interleaved'"),
      (#"{"quantization_config": {"bits": 4}}"#, "quantized weights"),
      (#"{"layer_types": ["full_attention", "sliding_attention"]}"#, "'sliding_attention'"),
      (#"{"is_encoder_decoder": true}"#, "'is_encoder_decoder'"), (#"{"pruned_heads": {"0": [1]}}"#, "'pruned_heads'"),
    ] {
      expectRefusal(of: json, naming: name, by: llama)
      expectRefusal(of: json, naming: name, by: languageModel)
      expectRefusal(of: json, naming: name, by: autoencoder)
    }
    // Keys of other kinds of model.
    expectRefusal(of: #"{"patch_size": 4}"#, naming: "'patch_size' is not a supported setting of a Llama", by: llama)
    expectRefusal(of: #"{"num_encoder_layers": 2}"#, naming: "'num_encoder_layers'", by: languageModel)
    expectRefusal(of: #"{"rope_theta": 500000}"#, naming: "'rope_theta'", by: autoencoder)
  }

  @Test("keys about the origin of a model or about text generation are ignored")
  func harmlessKeys() throws {
    let keys = """
      "_name_or_path": "a/b", "_attn_implementation_autoset": true, "auto_map": {"AutoConfig": "c.C"}, "dtype": "bfloat16",
      "is_llama_config": true, "rope_interleaved": false, "transformers.js_config": {"kv_cache_dtype": {"q4": "float16"}},
      "torch_dtype": "bfloat16", "transformers_version": "4.40.0", "use_cache": false, "pretraining_tp": 2,
      "unsloth_fixed": true, "temperature": 0.6, "top_k": 20, "top_p": 0.9, "do_sample": true, "max_length": 4096,
      "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}, "chunk_size_feed_forward": 0, "output_attentions": false,
      "is_encoder_decoder": false, "add_cross_attention": false, "pruned_heads": {}, "layer_types": ["full_attention"],
      "sliding_window": null, "use_sliding_window": false, "quantization_config": null, "bad_words_ids": null
      """
    #expect(try llama("{\(keys)}") == llama("{}"))
    #expect(try languageModel("{\(keys)}") == languageModel("{}"))
    #expect(try autoencoder("{\(keys)}") == autoencoder("{}"))
  }

  @Test("the Llama configuration of transformers 5.24 is read in full")
  func transformers5() throws {
    let model = try llama(
      """
      {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
       "dtype": "bfloat16", "eos_token_id": [5, 2], "head_dim": 128, "hidden_act": "silu", "hidden_size": 4096,
       "initializer_range": 0.02, "intermediate_size": 11008, "max_position_embeddings": 131072, "mlp_bias": false,
       "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
       "pad_token_id": null, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
       "rope_parameters": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
         "original_max_position_embeddings": 8192, "rope_theta": 500000.0, "rope_type": "llama3"},
       "tie_word_embeddings": false, "transformers_version": "5.24.0", "use_cache": true, "vocab_size": 128256}
      """)
    #expect(model.transformer.ropeTheta == 500_000)
    #expect(model.transformer.ropeScaling == .llama3(factor: 8, low: 1, high: 4, originalPositions: 8192))
    #expect(model.special.ends == [5, 2])
    #expect(try llama(String(decoding: JSONEncoder().encode(model), as: UTF8.self)) == model)
  }

  @Test("a list of end tokens keeps its order, and the error for an invalid id names the key")
  func endTokens() throws {
    let special = try llama(#"{"eos_token_id": [128001, 128008, 128009], "vocab_size": 128256}"#).special
    #expect(special.end == 128_001 && special.furtherEnds == [128_008, 128_009])
    #expect(try JSONDecoder().decode(SpecialTokens.self, from: JSONEncoder().encode(special)) == special)
    #expect(try llama(#"{"eos_token_id": [2]}"#).special == llama(#"{"eos_token_id": 2}"#).special)
    #expect(try llama(#"{"eos_token_id": []}"#).special.ends.isEmpty)
    expectRefusal(of: #"{"eos_token_id": [2, 32000]}"#, naming: "'eos_token_id' is 32000", by: llama)
    #expect(throws: DecodingError.self) { try llama(#"{"eos_token_id": "</s>"}"#) }
  }
}

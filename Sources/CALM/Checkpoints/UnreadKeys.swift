import Foundation

// The members of `config.json` that no configuration reads. Keys that cannot change a model's results are ignored. Any
// other key is an error that names it, because ignoring it would silently change the results.

/// Any key of `config.json`.
struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }
}

/// The keys that Hugging Face transformers, versions 4 and 5, and common tools write into `config.json` and that
/// do not affect the results of a trained model.
private enum HarmlessKeys {
  /// The origin of the folder, and settings for running the model.
  static let record: Set<String> = [
    "architectures", "attn_implementation", "auto_map", "dtype", "gradient_checkpointing", "is_decoder",
    "is_llama_config", "max_sequence_length", "max_window_layers", "model_max_length", "model_type", "name_or_path",
    "output_attentions", "output_hidden_states", "output_scores", "pretraining_tp", "return_dict",
    "return_dict_in_generate", "tf_legacy_loss", "torch_dtype", "torchscript", "transformers.js_config",
    "transformers_version", "use_bfloat16", "use_cache", "xla_device",
  ]

  /// Settings of other tasks and of training.
  static let task: Set<String> = [
    "chunk_size_feed_forward", "finetuning_task", "id2label", "initializer_range", "label2id", "num_labels", "prefix",
    "problem_type", "sep_token_id", "task_specific_params", "tie_encoder_decoder", "tokenizer_class",
  ]

  /// Defaults of text generation, which takes its options elsewhere.
  static let generation: Set<String> = [
    "bad_words_ids", "begin_suppress_tokens", "decoder_start_token_id", "diversity_penalty", "do_sample",
    "early_stopping", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "forced_bos_token_id",
    "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length", "min_p",
    "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences", "remove_invalid_values",
    "repetition_penalty", "suppress_tokens", "temperature", "top_k", "top_p", "typical_p",
  ]

  /// Prefixes of private keys of transformers and other tools.
  static let prefixes = ["_", "unsloth_"]

  static func contains(_ name: String) -> Bool {
    record.contains(name) || task.contains(name) || generation.contains(name)
      || prefixes.contains(where: name.hasPrefix)
  }
}

/// Throws for the keys of a configuration that are neither read nor harmless.
///
/// - Parameters:
///   - known: the keys that the configuration reads.
///   - ignored: further keys that do not affect a model of this kind.
///   - kind: the kind of model, with its article.
/// - Throws: a `DecodingError` that names the key.
func refuseUnknownKeys(
  in decoder: any Decoder, known: [String], ignored: Set<String> = [], kind: String
) throws {
  let values = try decoder.container(keyedBy: AnyKey.self)
  let known = Set(known).union(ignored)
  for key in values.allKeys.sorted(by: { $0.stringValue < $1.stringValue }) {
    let name = key.stringValue
    if known.contains(name) || HarmlessKeys.contains(name) { continue }
    if try values.decodeNil(forKey: key) { continue }
    switch name {
    case "add_cross_attention", "is_encoder_decoder", "rope_interleaved", "use_sliding_window":
      try values.refuse(unless: key, is: false)
    case "layer_types":
      let types = Set(try values.decode([String].self, forKey: key)).subtracting(["full_attention"])
      if let type = types.min() {
        throw values.corrupted(key, "'layer_types' names '\(type)'; only 'full_attention' is supported")
      }
    case "pruned_heads" where try values.nestedContainer(keyedBy: AnyKey.self, forKey: key).allKeys.isEmpty:
      continue
    case "quantization_config":
      throw values.corrupted(
        key, "'quantization_config': quantized weights are not supported; use a folder with float weights")
    default:
      throw values.corrupted(
        key,
        "'\(name.prefix(80))' is not a supported setting of \(kind); remove it if the model's results do not depend "
          + "on it")
    }
  }
}

import CALMSupport
import Foundation
import Torch

extension Autoencoder {
  /// Writes `config.json`, `model.safetensors` and `tokenizer.json` into a folder, each complete or absent.
  ///
  /// - Parameters:
  ///   - folder: the folder, which is created if it does not exist.
  ///   - weights: float32 values by parameter name, if the model computes in another type; nil writes the model's own.
  ///   - tokenizer: the content of `tokenizer.json`; nil writes none.
  /// - Throws: a file error; existing files stay readable.
  public func save(to folder: URL, weights: [String: Tensor]? = nil, tokenizer: Data?) throws {
    try write(self, configuration: configuration, to: folder, weights: weights, tokenizer: tokenizer) { _ in true }
  }
}

extension ContinuousLanguageModel {
  /// Writes `config.json`, `model.safetensors`, `tokenizer.json` and, if the model has one, `autoencoder/` into a folder.
  ///
  /// - Parameters:
  ///   - folder: the folder, which is created if it does not exist.
  ///   - weights: float32 values by parameter name, if the model computes in another type; nil writes the model's own.
  ///   - autoencoderWeights: the same for the autoencoder.
  ///   - tokenizer: the content of `tokenizer.json`; nil writes none.
  ///   - auxiliary: whether to write the layer of the auxiliary token loss, which only training uses.
  /// - Throws: a file error.
  public func save(
    to folder: URL, weights: [String: Tensor]? = nil, autoencoderWeights: [String: Tensor]? = nil, tokenizer: Data?,
    auxiliary: Bool = true
  ) throws {
    try write(self, configuration: configuration, to: folder, weights: weights, tokenizer: tokenizer) { name in
      auxiliary || !name.hasPrefix("auxiliary_projection.")
    }
    try autoencoder?.save(
      to: folder.appendingPathComponent("autoencoder"), weights: autoencoderWeights, tokenizer: nil)
  }
}

extension AutoregressiveModel {
  /// Writes `config.json`, `model.safetensors` and `tokenizer.json` into a folder, which Hugging Face's
  /// LlamaForCausalLM also reads.
  ///
  /// - Parameters:
  ///   - folder: the folder, which is created if it does not exist.
  ///   - weights: float32 values by parameter name, if the model computes in another type; nil writes the model's own.
  ///   - tokenizer: the content of `tokenizer.json`; nil writes none.
  /// - Throws: a file error.
  public func save(to folder: URL, weights: [String: Tensor]? = nil, tokenizer: Data?) throws {
    try write(self, configuration: configuration, to: folder, weights: weights, tokenizer: tokenizer) { _ in true }
  }
}

private func write(
  _ model: some Module, configuration: some Encodable, to folder: URL, weights: [String: Tensor]?, tokenizer: Data?,
  keeping: (String) -> Bool
) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  try AtomicFile.write(try encoder.encode(configuration), to: folder.appendingPathComponent("config.json").path)
  let tensors = model.namedParameters().filter { keeping($0.name) }.map {
    ($0.name, weights?[$0.name] ?? $0.tensor.detached().to(.float32))
  }
  try Safetensors.write(
    Dictionary(uniqueKeysWithValues: tensors), metadata: ["format": "pt"],
    to: folder.appendingPathComponent("model.safetensors"))
  if let tokenizer {
    try AtomicFile.write(tokenizer, to: folder.appendingPathComponent("tokenizer.json").path)
  }
}

import Torch

extension AutoencoderConfiguration {
  /// Infers the sizes of an autoencoder from its weights, for a checkpoint without its `config.json`.
  ///
  /// Settings that cannot be inferred have the official defaults: ε of the norms, the activation, and the training
  /// constants.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - prefix: the prefix of their names.
  /// - Throws: ``CheckpointError`` if one of them is missing or is not a matrix.
  init(of source: some TensorSource, prefix: String, special: SpecialTokens) throws {
    func matrix(_ name: String) throws -> (rows: Int, columns: Int) {
      guard let shape = source.shape(of: prefix + name) else {
        throw CheckpointError.missingTensor(prefix + name, file: source.url.path)
      }
      guard shape.count == 2, shape.allSatisfy({ (1...greatestVocabulary).contains($0) }) else {
        throw CheckpointError.unsupported(
          file: source.url.path, tensor: prefix + name, reason: "its shape \(shape) is not that of a weight matrix")
      }
      return (shape[0], shape[1])
    }
    func layers(_ list: String) -> Int {
      (0...).first { source.layout(of: "\(prefix)\(list).\($0).layernorm.weight") == nil } ?? 0
    }
    let (vocabulary, hidden) = try matrix("encoder.embed_tokens.weight")
    let latent = try matrix("decoder.latent_to_hidden.weight").columns
    self.init(
      vocabularySize: vocabulary, chunkSize: max(1, try matrix("encoder.squeeze_layer.weight").columns / hidden),
      latentSize: latent, hiddenSize: hidden,
      intermediateSize: try matrix("encoder.encoder_layers.0.mlp.gate_proj.weight").rows,
      encoderLayers: layers("encoder.encoder_layers"), decoderLayers: layers("decoder.decoder_layers"),
      isVariational: try matrix("encoder.hidden_to_latent.weight").rows != latent, special: special)
    hasMLPBias = source.layout(of: prefix + "encoder.encoder_layers.0.mlp.gate_proj.bias") != nil
  }
}

import Torch

extension AutoencoderConfiguration {
  /// The sizes that an autoencoder's weights show, for a checkpoint that holds them without their `config.json`.
  ///
  /// What weights do not show has the official default: ε of the norms, the activation, and the constants of training.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - prefix: what stands before their names.
  /// - Throws: ``CheckpointError`` where one of them is missing or is no matrix.
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

import CALM
import Foundation
import Testing
import Torch

@Suite("Folders of models")
struct ModelFolderTests {
  private let scratch: ScratchModels

  init() throws { scratch = try ScratchModels() }

  /// The tensors of the small model, its autoencoder's as `ae_model.*`, under names that `rename` changes or drops.
  private func write(_ rename: (String) -> String?, to folder: URL) throws {
    let model = scratch.model
    let own = model.namedParameters().map { ($0.name, $0.tensor) }
    let frozen = model.knownAutoencoder.namedParameters().map { ("ae_model." + $0.name, $0.tensor) }
    try Safetensors.write(
      Dictionary(uniqueKeysWithValues: (own + frozen).compactMap { name, tensor in rename(name).map { ($0, tensor) } }),
      to: folder.appendingPathComponent("model.safetensors"))
  }

  @Test("a checkpoint may contain the autoencoder, and tied tensors under either name")
  func names() throws {
    let folder = try scratch.saved("own")
    try FileManager.default.removeItem(at: folder.appendingPathComponent("autoencoder"))
    for rename in [
      { $0 },
      { $0.replacing("mlp_generator.", with: "generative_head.") },
      { $0.replacing("ae_model.encoder.embed_tokens.weight", with: "ae_model.decoder.lm_head_weight") },
    ] as [(String) -> String] {
      try write(rename, to: folder)
      let loaded = try ModelFolder(folder).loadLanguageModel()
      expectSameParameters(loaded, scratch.model)
      expectSameParameters(loaded.knownAutoencoder, scratch.model.knownAutoencoder)
      let shown = try ModelFolder(folder).autoencoderConfiguration()
      #expect(shown.parameterCount == scratch.model.knownAutoencoder.configuration.parameterCount)
      expectSameParameters(try ModelFolder(folder).loadAutoencoder(), scratch.model.knownAutoencoder)
    }
    try write({ $0.hasPrefix("ae_model.") ? nil : $0 }, to: folder)
    #expect(throws: ModelError.noAutoencoder(folder.path)) { try ModelFolder(folder).loadLanguageModel() }
  }

  @Test("two names of one tensor must have the same shape")
  func disagreement() throws {
    let folder = try scratch.saved("own")
    let name = "mlp_generator.noise_embd.weight"
    try Safetensors.write(
      [name: Tensor.zeros([2, 2]), "generative_head.noise_embd.weight": Tensor.zeros([2, 3])],
      to: folder.appendingPathComponent("model.safetensors"))
    let error = #expect(throws: CheckpointError.self) { try ModelFolder(folder).loadLanguageModel() }
    #expect("\(error.map { "\($0)" } ?? "")".contains(name))
  }

  @Test("weights in the checkpoint take precedence over the autoencoder's folder, and a named folder over both")
  func precedence() throws {
    let folder = try scratch.saved("own")
    let other = SmallModels.autoencoder(seed: 9)
    try other.save(to: folder.appendingPathComponent("autoencoder"), tokenizer: nil)
    expectSameParameters(try ModelFolder(folder).loadLanguageModel().knownAutoencoder, other)
    try write({ $0 }, to: folder)
    expectSameParameters(try ModelFolder(folder).loadLanguageModel().knownAutoencoder, scratch.model.knownAutoencoder)
    let named = folder.appendingPathComponent("autoencoder")
    expectSameParameters(try ModelFolder(folder).loadLanguageModel(autoencoder: named).knownAutoencoder, other)
  }

  @Test("ae_path is absolute, or relative to the model's folder or its parent", arguments: 0..<3)
  func autoencoderPath(form: Int) throws {
    let folder = try scratch.saved("own")
    let moved = scratch.url.appendingPathComponent("elsewhere")
    try FileManager.default.moveItem(at: folder.appendingPathComponent("autoencoder"), to: moved)
    #expect(throws: ModelError.noAutoencoder(folder.path)) { try ModelFolder(folder).loadLanguageModel() }
    try scratch.setConfiguration(of: folder, "ae_path", [moved.path, "../elsewhere", "elsewhere"][form])
    expectSameParameters(try ModelFolder(folder).loadLanguageModel().knownAutoencoder, scratch.model.knownAutoencoder)
  }

  @Test("a configuration of a much larger model than the weights is an error before memory is allocated")
  func oversized() throws {
    let folder = try scratch.saved("own")
    try scratch.setConfiguration(of: folder, "hidden_size", 65_536)
    try scratch.setConfiguration(of: folder, "intermediate_size", 65_536)
    try scratch.setConfiguration(of: folder, "num_hidden_layers", 1000)
    let error = #expect(throws: ModelError.self) { try ModelFolder(folder).loadLanguageModel() }
    #expect("\(error.map { "\($0)" } ?? "")".contains("parameters"))
    try scratch.setConfiguration(of: folder.appendingPathComponent("autoencoder"), "intermediate_size", 65_536)
    try scratch.setConfiguration(of: folder.appendingPathComponent("autoencoder"), "num_encoder_layers", 1000)
    #expect(throws: ModelError.self) { try ModelFolder(folder).loadAutoencoder() }
  }

  @Test("weights are rounded to the compute type when they are read")
  func precision() throws {
    let folder = try scratch.saved("own")
    let half = try ModelFolder(folder).loadLanguageModel(as: .bfloat16)
    let whole = try ModelFolder(folder).loadLanguageModel()
    whole.convert(to: .bfloat16)
    whole.knownAutoencoder.convert(to: .bfloat16)
    expectSameParameters(half, whole)
    expectSameParameters(half.knownAutoencoder, whole.knownAutoencoder)
  }
}

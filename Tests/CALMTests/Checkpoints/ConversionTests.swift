import CALM
import Foundation
import Testing
import Torch

@Suite("Models for the official code and back")
struct ConversionTests {
  private let scratch: ScratchModels

  init() throws { scratch = try ScratchModels() }

  private func place(_ name: String) -> URL { scratch.url.appendingPathComponent(name) }

  @Test("a converted model equals the original in both layouts", arguments: CheckpointFormat.allCases)
  func same(_ format: CheckpointFormat) throws {
    let folder = try scratch.saved("own")
    try ModelFolder(folder).convert(to: format, at: place("out"))
    let loaded = try ModelFolder(place("out")).loadLanguageModel()
    expectSameParameters(loaded, scratch.model)
    expectSameParameters(loaded.knownAutoencoder, scratch.model.knownAutoencoder)
    #expect(try ModelFolder(place("out")).languageModelConfiguration() == scratch.model.configuration)
    expectSameParameters(try ModelFolder(place("out/autoencoder")).loadAutoencoder(), scratch.model.knownAutoencoder)
  }

  @Test(
    "a model whose head samples tokens is refused, and nothing is written", arguments: [HeadKind.posterior, .tokens])
  func tokenHeads(kind: HeadKind) throws {
    try SmallModels.languageModel(head: kind).save(to: place("own"), tokenizer: nil)
    let error = #expect(throws: ModelError.self) {
      try ModelFolder(place("own")).convert(to: .official, at: place("out"))
    }
    #expect(error?.description.contains("'\(kind.rawValue)'") == true)
    #expect(!FileManager.default.fileExists(atPath: place("out").path))
  }

  @Test(
    "a converted model keeps its head", arguments: HeadKind.allCases.filter(\.usesAutoencoder),
    CheckpointFormat.allCases)
  func heads(kind: HeadKind, format: CheckpointFormat) throws {
    let model = SmallModels.languageModel(head: kind)
    try model.save(to: place("own"), tokenizer: nil)
    try ModelFolder(place("own")).convert(to: format, at: place("out"))
    let converted = try ModelFolder(place("out"))
    #expect(try converted.languageModelConfiguration() == model.configuration)
    expectSameParameters(try converted.loadLanguageModel(), model)
    let names = try CheckpointReader(place("out")).names
    #expect(names.contains { $0.hasPrefix("mlp_generator.") } == (kind == .energy))
    #expect(names.contains { $0.hasPrefix("generative_head.net.") } == (kind != .energy))
    #expect(names.contains { $0.hasPrefix("generative_head.") } == (kind != .energy || format == .official))
  }

  @Test("rounding a model to bfloat16 halves its file, for every head", arguments: HeadKind.allCases)
  func rounding(kind: HeadKind) throws {
    let model = SmallModels.languageModel(head: kind)
    try model.save(to: place("own"), tokenizer: nil)
    try ModelFolder(place("own")).round(to: place("half"))
    let rounded = try ModelFolder(place("half")).loadLanguageModel()
    #expect(rounded.configuration == model.configuration)
    model.convert(to: .bfloat16)
    model.convert(to: .float32)
    expectSameParameters(rounded, model)
    if let autoencoder = model.autoencoder {
      autoencoder.convert(to: .bfloat16)
      autoencoder.convert(to: .float32)
      expectSameParameters(rounded.knownAutoencoder, autoencoder)
    }
    func size(_ name: String) throws -> Int {
      try Data(contentsOf: place(name).appendingPathComponent("model.safetensors")).count
    }
    #expect(try size("half") < size("own") * 6 / 10)
    #expect(throws: ModelError.targetExists(place("half").path)) {
      try ModelFolder(place("own")).round(to: place("half"))
    }
  }

  @Test("converting back restores the same bytes, for any type of the weights", arguments: [DType.float32, .float16])
  func roundTrip(_ dtype: DType) throws {
    scratch.model.convert(to: dtype)
    scratch.model.knownAutoencoder.convert(to: dtype)
    let folder = try scratch.saved("own")
    try Safetensors.write(
      Dictionary(uniqueKeysWithValues: scratch.model.namedParameters().map { ($0.name, $0.tensor) }),
      to: folder.appendingPathComponent("model.safetensors"))
    try ModelFolder(folder).convert(to: .official, at: place("one"))
    try ModelFolder(place("one")).convert(to: .safetensors, at: place("two"))
    try ModelFolder(place("two")).convert(to: .official, at: place("three"))
    for file in ["pytorch_model.bin", "autoencoder/pytorch_model.bin", "autoencoder/config.json"] {
      #expect(try Data(contentsOf: place("one/\(file)")) == Data(contentsOf: place("three/\(file)")), "\(file)")
    }
    let layout = try CheckpointReader(place("three")).layout(of: "generative_head.noise_embd.weight")
    #expect(layout?.dtype == dtype)
  }

  @Test("conversion keeps unknown settings and the exact numbers")
  func settings() throws {
    let folder = try scratch.saved("own")
    try scratch.setConfiguration(of: folder, "use_cache", true)
    try scratch.setConfiguration(of: folder, "rope_scaling", ["type": "linear", "factor": 2] as [String: Any])
    try ModelFolder(folder).convert(to: .official, at: place("out"))
    let text = try String(contentsOf: place("out/config.json"), encoding: .utf8)
    // The official code requires a fraction here.
    for line in [
      #""use_cache": true"#, #""factor": 2.0"#, #""rms_norm_eps": 1e-06"#,
      #""ae_path": "\#(place("out/autoencoder").standardizedFileURL.path)""#,
    ] { #expect(text.contains(line), "\(text)") }
  }

  @Test("conversion writes the rotary embedding of transformers 5 in the form of the official code")
  func rotaryEmbedding() throws {
    let folder = try scratch.saved("own")
    try scratch.setConfiguration(of: folder, "rope_theta", NSNull())
    try scratch.setConfiguration(
      of: folder, "rope_parameters", ["rope_theta": 50_000, "rope_type": "linear", "factor": 2] as [String: Any])
    try ModelFolder(folder).convert(to: .official, at: place("out"))
    let text = try String(contentsOf: place("out/config.json"), encoding: .utf8)
    #expect(!text.contains("rope_parameters"))
    for line in [#""rope_theta": 50000.0"#, #""factor": 2.0"#, #""type": "linear""#] {
      #expect(text.contains(line), "\(text)")
    }
    let (before, after) = (try ModelFolder(folder), try ModelFolder(place("out")))
    #expect(try before.languageModelConfiguration().transformer == after.languageModelConfiguration().transformer)
  }

  @Test("conversion omits training-only weights and rejects models that the official code does not support")
  func refusals() throws {
    let folder = try scratch.saved("own")
    #expect(throws: ModelError.targetExists(folder.path)) { try ModelFolder(folder).convert(to: .official, at: folder) }
    let plain = SmallModels.autoencoder(isVariational: false)
    try plain.save(to: place("plain"), tokenizer: nil)
    let error = #expect(throws: ModelError.self) {
      try ModelFolder(place("plain")).convert(to: .official, at: place("x"))
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("deterministic autoencoder"))
    var configuration = scratch.model.configuration
    configuration.input = .both
    try ContinuousLanguageModel(
      configuration, autoencoder: scratch.model.knownAutoencoder, generator: Generator(seed: 1)
    ).save(to: place("latents"), tokenizer: nil)
    #expect(throws: ModelError.notOfficial(place("latents").path, "a Transformer that reads latents")) {
      try ModelFolder(place("latents")).convert(to: .official, at: place("x"))
    }
    try SmallModels.transformer().save(to: place("transformer"), tokenizer: nil)
    #expect(throws: ModelError.nothingToConvert(place("transformer").path)) {
      try ModelFolder(place("transformer")).convert(to: .official, at: place("x"))
    }
    try Safetensors.write(["a": Tensor(1)], to: folder.appendingPathComponent("model.safetensors"))
    #expect(throws: (any Error).self) { try ModelFolder(folder).convert(to: .official, at: place("x")) }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted()
        == ["latents", "own", "plain", "transformer"])
  }
}

import CALM
import Foundation
import Testing
import Torch

@Suite("Numbers of the official code")
struct ParityTests {
  /// The recorded models that these tests know by their configuration.
  private static func kind(of recorded: ParityCase) -> ModelFolder.Kind? {
    let kinds = recorded.modelFolders.compactMap { try? ModelFolder($0).kind }
    if kinds.contains(.autoregressive) { return .autoregressive }
    return HeadKind(rawValue: recorded.modelType) != nil ? .languageModel : nil
  }

  @Test("there are recorded cases of models that are supported")
  func casesExist() throws {
    let cases = try ParityCase.all()
    #expect(cases.contains { Self.kind(of: $0) != nil }, "looked in \(ParityCase.roots.map(\.path))")
    for recorded in cases where Self.kind(of: recorded) == nil {
      print("\(recorded.testDescription): skipped, no model of type '\(recorded.modelType)' is supported yet")
    }
  }

  @Test(
    "every recorded number of a continuous model comes out again",
    arguments: try ParityCase.all().filter { Self.kind(of: $0) == .languageModel })
  func recordedNumbers(of recorded: ParityCase) throws {
    let numbers = try RecordedNumbers(recorded)
    let model = try load(recorded)
    try AutoencoderParity(autoencoder: model.autoencoder, numbers: numbers).check()
    try LanguageModelParity(model: model, numbers: numbers).check()
    try BrierParity(model: model, numbers: numbers).check()
    try GenerationParity(model: model, numbers: numbers).check()
    try TemperatureParity(numbers: numbers).check()
    numbers.expectComplete()
  }

  @Test(
    "every recorded number of an autoregressive model comes out again",
    arguments: try ParityCase.all().filter { Self.kind(of: $0) == .autoregressive })
  func autoregressiveNumbers(of recorded: ParityCase) throws {
    let numbers = try RecordedNumbers(recorded)
    for folder in recorded.modelFolders {
      try AutoregressiveParity(model: ModelFolder(folder).loadAutoregressiveModel(), numbers: numbers).check()
    }
    numbers.expectComplete()
  }

  /// The recorded model. A case may hold it in several formats: all must give the same parameters.
  private func load(_ recorded: ParityCase) throws -> ContinuousLanguageModel {
    let folders = try recorded.modelFolders.map { try ModelFolder($0) }
    let autoencoders = folders.filter { $0.kind == .autoencoder }
    let models = try folders.filter { $0.kind == .languageModel }
      .map { try $0.loadLanguageModel(autoencoder: autoencoders.first?.url) }
    let model = try #require(models.first, "\(recorded.testDescription) holds no language model")
    for other in models.dropFirst() { expectEqual(model, other) }
    for folder in autoencoders { expectEqual(model.autoencoder, try folder.loadAutoencoder()) }
    return model
  }

  private func expectEqual(_ first: some Module, _ second: some Module) {
    let (first, second) = (first.namedParameters(), second.namedParameters())
    #expect(first.map(\.name) == second.map(\.name))
    for (one, other) in zip(first, second) { #expect(one.tensor.equals(other.tensor).all(), "\(one.name) differs") }
  }
}

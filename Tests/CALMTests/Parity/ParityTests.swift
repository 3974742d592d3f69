import CALM
import Foundation
import Testing
import Torch

@Suite("Numbers of the official code")
struct ParityTests {
  private static let supported = Set(HeadKind.allCases.map(\.rawValue))

  @Test("there are recorded cases of models that are supported")
  func casesExist() throws {
    let cases = try ParityCase.all()
    #expect(cases.contains { Self.supported.contains($0.modelType) }, "looked in \(ParityCase.roots.map(\.path))")
    for recorded in cases where !Self.supported.contains(recorded.modelType) {
      print("\(recorded.testDescription): skipped, no model of type '\(recorded.modelType)' is supported yet")
    }
  }

  @Test(
    "every recorded number comes out again",
    arguments: try ParityCase.all().filter { Self.supported.contains($0.modelType) })
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

import CALM
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Numbers of the official code")
struct ParityTests {
  /// The recorded models that these tests recognize by their configuration.
  private static func kind(of recorded: ParityCase) -> ModelFolder.Kind? {
    let kinds = recorded.modelFolders.compactMap { try? ModelFolder($0).kind }
    if kinds.contains(.autoregressive) { return .autoregressive }
    return kinds.contains(.languageModel) && HeadKind(rawValue: recorded.modelType) != nil ? .languageModel : nil
  }

  @Test("every recorded case belongs to a model that the parity tests check")
  func casesAreChecked() throws {
    let cases = try ParityCase.all()
    #expect(!cases.isEmpty, "looked in \(ParityCase.roots.map(\.path))")
    for recorded in cases {
      #expect(
        Self.kind(of: recorded) != nil || recorded.headFolder != nil,
        "\(recorded.testDescription): no check takes a model of type '\(recorded.modelType)'")
    }
  }

  @Test(
    "each parity check has a recorded case",
    .enabled(if: !ParityCase.areNamed, "CALM_FIXTURES names the cases to check"))
  func checksHaveCases() throws {
    let cases = try ParityCase.all()
    for kind in [ModelFolder.Kind.languageModel, .autoregressive] {
      #expect(cases.contains { Self.kind(of: $0) == kind }, "\(kind)")
    }
    #expect(cases.contains { $0.headFolder != nil })
  }

  @Test(
    "a continuous model reproduces every recorded number",
    arguments: try ParityCase.all().filter { Self.kind(of: $0) == .languageModel })
  func recordedNumbers(of recorded: ParityCase) throws {
    let numbers = try RecordedNumbers(recorded)
    let model = try load(recorded)
    try AutoencoderParity(autoencoder: model.knownAutoencoder, numbers: numbers).check()
    try LanguageModelParity(model: model, numbers: numbers).check()
    try BrierParity(model: model, numbers: numbers).check()
    try GenerationParity(model: model, numbers: numbers).check()
    try TemperatureParity(numbers: numbers).check()
    numbers.expectComplete()
  }

  @Test(
    "a head reproduces every recorded number",
    arguments: try ParityCase.all().filter { $0.headFolder != nil })
  func headNumbers(of recorded: ParityCase) throws {
    let numbers = try RecordedNumbers(recorded)
    let folder = try #require(recorded.headFolder)
    let configuration = try ModelFolder(folder).languageModelConfiguration()
    let kind = configuration.head.type
    let head = kind.init(configuration, generator: .unset(device: TestCompute.device, as: TestCompute.dtype))
    head.convert(to: TestCompute.dtype)
    try head.load(from: CheckpointReader(folder), prefix: kind.key + ".")
    head.setTrainable(true)

    let hidden = try numbers.input("lm.hidden").to(TestCompute.dtype).reshaped(-1, configuration.hiddenSize)
    let latent = LatentDistribution(
      mean: try numbers.input("lm.target_mean"), logDeviation: try numbers.input("lm.target_log_std"))
    let parity = try headParity(of: head, in: nil, numbers)
    let loss = try parity.loss(hidden: hidden, latent: latent)
    try numbers.check("lm.loss", loss)
    loss.backward()
    let parameters = head.namedParameters()
    for name in numbers.names(withPrefix: "lm.grad.") {
      let gradient = parameters.first { name == "lm.grad.\(kind.key).\($0.name)" }?.tensor.gradient
      if let gradient { try numbers.check(name, gradient) }
    }
    let norms = recorded.description.modelGradientNorms ?? [:]
    try numbers.checkGradientNorms(
      of: head, Dictionary(uniqueKeysWithValues: norms.map { (String($0.key.dropFirst(kind.key.count + 1)), $0.value) })
    )
    try parity.checkSampling(hidden: hidden, latent: latent)
    numbers.expectComplete()
  }

  @Test(
    "an autoregressive model reproduces every recorded number",
    arguments: try ParityCase.all().filter { Self.kind(of: $0) == .autoregressive })
  func autoregressiveNumbers(of recorded: ParityCase) throws {
    let numbers = try RecordedNumbers(recorded)
    for folder in recorded.modelFolders {
      let model = try ModelFolder(folder).loadAutoregressiveModel(device: TestCompute.device, as: TestCompute.dtype)
      try AutoregressiveParity(model: model, numbers: numbers).check()
    }
    numbers.expectComplete()
  }

  @Test("a tensor that is missing from a fixture fails its case")
  func missingTensor() throws {
    let recorded = try #require(try ParityCase.all().first { $0.description.notRecorded == nil })
    let numbers = try RecordedNumbers(recorded)
    numbers.expectNothingMissing()
    try numbers.check("absent", Tensor([0.0]))
    withKnownIssue { numbers.expectNothingMissing() }
  }

  /// The recorded model. If a case contains it in several formats, all must have the same parameters.
  private func load(_ recorded: ParityCase) throws -> ContinuousLanguageModel {
    let folders = try recorded.modelFolders.map { try ModelFolder($0) }
    let autoencoders = folders.filter { $0.kind == .autoencoder }
    let models = try folders.filter { $0.kind == .languageModel }
      .map {
        try $0.loadLanguageModel(
          autoencoder: autoencoders.first?.url, device: TestCompute.device, as: TestCompute.dtype)
      }
    let model = try #require(models.first, "\(recorded.testDescription) contains no language model")
    for other in models.dropFirst() { expectEqual(model, other) }
    for folder in autoencoders {
      expectEqual(
        model.knownAutoencoder, try folder.loadAutoencoder(device: TestCompute.device, as: TestCompute.dtype))
    }
    return model
  }

  private func expectEqual(_ first: some Module, _ second: some Module) {
    let (first, second) = (first.namedParameters(), second.namedParameters())
    #expect(first.map(\.name) == second.map(\.name))
    for (one, other) in zip(first, second) { #expect(one.tensor.equals(other.tensor).all(), "\(one.name) differs") }
  }
}

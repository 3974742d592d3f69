import Foundation
import Torch

extension ModelFolder {
  /// The prefix of the frozen autoencoder's weights in an official language model's checkpoint.
  static let autoencoderPrefix = "ae_model."
  /// The prefix of the layer that only training uses.
  static let auxiliaryPrefix = "auxiliary_projection."

  /// The configuration of the language model. If it names no head, as some official ones do, the head is inferred from
  /// the weights.
  public func languageModelConfiguration() throws -> LanguageModelConfiguration {
    try require(.languageModel)
    let file = url.appendingPathComponent("config.json")
    var read: LanguageModelConfiguration = try Self.decode(configuration, file)
    struct Named: Decodable {
      let head: HeadKind?
      init(from decoder: any Decoder) throws { head = try LanguageModelConfiguration.namedHead(in: decoder) }
    }
    let named: Named = try Self.decode(configuration, file)
    if named.head == nil, let weights = try? weights(), let found = HeadKind.inferred(from: weights, sizes: read) {
      read.head = found
    }
    return read
  }

  /// The configuration of the autoencoder, or of the language model's autoencoder.
  public func autoencoderConfiguration() throws -> AutoencoderConfiguration {
    if kind == .autoencoder { return try Self.decode(configuration, url.appendingPathComponent("config.json")) }
    return try autoencoderSource(given: nil).configuration
  }

  /// The autoencoder in this folder, or the language model's autoencoder.
  ///
  /// - Parameters:
  ///   - device: the device of its parameters.
  ///   - dtype: the type of its parameters, regardless of the type in the file.
  /// - Throws: ``ModelError``, or a checkpoint error.
  public func loadAutoencoder(device: Device = .cpu, as dtype: DType = .float32) throws -> Autoencoder {
    try autoencoderSource(given: nil).load(device: device, as: dtype)
  }

  /// The autoencoder with a different configuration of the same sizes.
  package func loadAutoencoder(_ configuration: AutoencoderConfiguration, device: Device) throws -> Autoencoder {
    var source = try autoencoderSource(given: nil)
    source.configuration = configuration
    return try source.load(device: device, as: .float32)
  }

  /// The language model with its autoencoder.
  ///
  /// - Parameters:
  ///   - autoencoder: the autoencoder's folder, if it is not the one that the model's folder names.
  ///   - device: the device of all parameters.
  ///   - dtype: the type of all parameters, regardless of the types in the files.
  /// - Throws: ``ModelError``, or a checkpoint error.
  public func loadLanguageModel(
    autoencoder: URL? = nil, device: Device = .cpu, as dtype: DType = .float32
  ) throws -> ContinuousLanguageModel {
    var configuration = try languageModelConfiguration()
    // The layer that only training uses may be missing.
    if try configuration.head.usesAutoencoder
      && !weights().names.contains(where: { $0.hasPrefix(Self.auxiliaryPrefix) })
    {
      configuration.auxiliaryLossWeight = 0
    }
    return try loadLanguageModel(
      configuration, autoencoder: autoencoder, generator: .unset(device: device, as: dtype), as: dtype)
  }

  /// The language model with a different configuration of the same sizes.
  ///
  /// - Parameters:
  ///   - generator: initializes the layer of the auxiliary token loss, and what `keeping` names, if the folder does not
  ///     contain them.
  ///   - keeping: the beginnings of the names of parameters that the folder need not contain.
  package func loadLanguageModel(
    _ configuration: LanguageModelConfiguration, autoencoder: URL?, generator: Generator, as dtype: DType = .float32,
    keeping: [String] = []
  ) throws -> ContinuousLanguageModel {
    if autoencoder != nil && !configuration.head.usesAutoencoder {
      throw ModelError.samplesTokens(url.path, configuration.head)
    }
    let weights = try weights()
    let source = try configuration.head.usesAutoencoder ? autoencoderSource(given: autoencoder) : nil
    try agree(configuration, source?.configuration, weights)
    let model = ContinuousLanguageModel(
      configuration, autoencoder: try source?.load(device: generator.device, as: dtype), generator: generator)
    model.convert(to: dtype)
    try model.load(
      from: weights, ignoring: Self.unused(by: configuration), keeping: [Self.auxiliaryPrefix] + keeping)
    return model
  }

  /// The student with which the distillation of this folder's model starts: a copy with a one-step head.
  ///
  /// - Parameter generator: initializes what the teacher does not have.
  package func loadStudent(
    _ configuration: LanguageModelConfiguration, generator: Generator
  ) throws -> ContinuousLanguageModel {
    let head = configuration.head.type
    let own = (head as? any DistillableHead.Type)?.studentParameters ?? []
    return try loadLanguageModel(
      configuration, autoencoder: nil, generator: generator, keeping: own.map { "\(head.key).\($0)" })
  }

  /// The autoregressive Transformer: any Llama in the format of Hugging Face.
  ///
  /// - Parameters:
  ///   - device: the device of all parameters.
  ///   - dtype: the type of all parameters, regardless of the type in the file.
  /// - Throws: ``ModelError``, or a checkpoint error.
  public func loadAutoregressiveModel(device: Device = .cpu, as dtype: DType = .float32) throws -> AutoregressiveModel {
    try loadAutoregressiveModel(autoregressiveConfiguration(), device: device, as: dtype)
  }

  /// The autoregressive Transformer with a different configuration of the same sizes.
  package func loadAutoregressiveModel(
    _ configuration: AutoregressiveConfiguration, device: Device, as dtype: DType = .float32
  ) throws -> AutoregressiveModel {
    try require(.autoregressive)
    let reader = try CheckpointReader(url)
    try reader.checkSize(configuration.cost.parameters)
    let model = AutoregressiveModel(configuration, generator: .unset(device: device, as: dtype))
    model.convert(to: dtype)
    try model.load(from: reader, ignoring: configuration.tiesEmbeddings ? ["lm_head."] : [])
    return model
  }

  /// Compares a language model's weights and its autoencoder's sizes with its configuration, without reading them.
  func checkLanguageModel(_ weights: DistinctTensors, _ autoencoder: AutoencoderSource) throws {
    var configuration = try languageModelConfiguration()
    configuration.auxiliaryLossWeight = 0
    try agree(configuration, autoencoder.configuration, weights)
    let unset = Generator.unset()
    let model = ContinuousLanguageModel(
      configuration, autoencoder: Autoencoder(autoencoder.configuration, generator: unset), generator: unset)
    try model.check(weights, ignoring: Self.unused(by: configuration))
  }

  private static func unused(by configuration: LanguageModelConfiguration) -> [String] {
    [autoencoderPrefix] + (configuration.auxiliaryLossWeight == 0 ? [auxiliaryPrefix] : [])
  }

  func weights() throws -> DistinctTensors { try DistinctTensors(CheckpointReader(url)) }

  /// The location of the autoencoder's configuration and weights.
  struct AutoencoderSource {
    var configuration: AutoencoderConfiguration
    let weights: DistinctTensors
    let prefix: String
    /// The folder with the configuration; nil if the configuration is inferred from the weights.
    let folder: ModelFolder?

    func load(device: Device, as dtype: DType) throws -> Autoencoder {
      let model = try unset(device: device, as: dtype)
      model.convert(to: dtype)
      try model.load(from: weights, prefix: prefix)
      return model
    }

    /// Compares the weights with the configuration, without reading them.
    func check() throws { try unset(device: .cpu, as: .float32).check(weights, prefix: prefix) }

    private func unset(device: Device, as dtype: DType) throws -> Autoencoder {
      try weights.checkSize(configuration.parameterCount)
      return Autoencoder(configuration, generator: .unset(device: device, as: dtype))
    }
  }

  /// The autoencoder of this folder: the model itself, or the language model's autoencoder.
  ///
  /// As in the official code, weights in the language model's checkpoint take precedence over those in the
  /// autoencoder's folder, which then provides only the configuration.
  ///
  /// - Parameter given: a folder to use instead.
  func autoencoderSource(given: URL?) throws -> AutoencoderSource {
    guard kind != .autoregressive else { throw ModelError.wrongKind(url.path, found: kind, expected: .autoencoder) }
    if kind == .autoencoder {
      return AutoencoderSource(
        configuration: try autoencoderConfiguration(), weights: try weights(), prefix: "", folder: self)
    }
    let head = try languageModelConfiguration().head
    guard head.usesAutoencoder else { throw ModelError.samplesTokens(url.path, head) }
    if let given {
      let folder = try ModelFolder(given)
      try folder.require(.autoencoder)
      return try folder.autoencoderSource(given: nil)
    }
    let folder = try autoencoderFolder()
    let weights = try weights()
    guard weights.names.contains(where: { $0.hasPrefix(Self.autoencoderPrefix) }) else {
      guard let folder else { throw ModelError.noAutoencoder(url.path) }
      return try folder.autoencoderSource(given: nil)
    }
    let shown = try folder?.autoencoderConfiguration()
    let configuration =
      try shown
      ?? AutoencoderConfiguration(
        of: weights, prefix: Self.autoencoderPrefix, special: try languageModelConfiguration().special)
    return AutoencoderSource(
      configuration: configuration, weights: weights, prefix: Self.autoencoderPrefix, folder: folder)
  }

  /// The autoencoder's folder: `autoencoder/`, or the folder at `ae_path`, which is absolute or relative to this
  /// folder, its parent or the working directory. Nil if there is none.
  private func autoencoderFolder() throws -> ModelFolder? {
    struct Place: Decodable {
      let path: String?
      enum CodingKeys: String, CodingKey { case path = "ae_path" }
    }
    let named = try Self.decode(configuration, url.appendingPathComponent("config.json"), as: Place.self).path
    var places = [url.appendingPathComponent("autoencoder")]
    if let named, !named.isEmpty, !named.contains("\0") {
      let bases = named.hasPrefix("/") ? [] : [url, url.deletingLastPathComponent()]
      places += bases.map { $0.appendingPathComponent(named) } + [URL(fileURLWithPath: named)]
    }
    let found = places.first {
      FileManager.default.fileExists(atPath: $0.appendingPathComponent("config.json").path)
    }
    let folder = try found.map { try ModelFolder($0) }
    try folder?.require(.autoencoder)
    return folder
  }

  private func agree(
    _ model: LanguageModelConfiguration, _ autoencoder: AutoencoderConfiguration?, _ weights: DistinctTensors
  ) throws {
    if let autoencoder {
      for (name, own, other) in [
        ("chunk size", model.chunkSize, autoencoder.chunkSize),
        ("latent size", model.latentSize, autoencoder.latentSize),
        ("vocabulary size", model.vocabularySize, autoencoder.vocabularySize),
      ] where own != other {
        throw ModelError.sizesDiffer(url.path, name: name, model: own, autoencoder: other)
      }
    }
    try weights.checkSize(model.cost(autoencoder: autoencoder).parameters)
  }
}

extension TensorSource {
  /// Throws if a configuration has far more parameters than the source, before memory is allocated.
  ///
  /// Smaller differences are reported tensor by tensor when the weights are loaded.
  func checkSize(_ parameters: Int) throws {
    let held = names.reduce(0) { $0 + (layout(of: $1)?.count ?? 0) }
    guard parameters <= 2 * held + 1 << 20 else {
      throw ModelError.configuration(
        url.path,
        "contains \(held) parameters, but config.json describes a model with \(parameters); use the files of the same model"
      )
    }
  }
}

import CALM

/// The kinds of model that can be trained, as `calm train` names them.
public enum ModelKind: String, Codable, CaseIterable, Sendable {
  /// An autoencoder of chunks.
  case autoencoder
  /// A continuous language model on an autoencoder's latents.
  case lm
  /// The autoregressive baseline.
  case transformer
  /// A language model whose head is distilled into one step.
  case student

  /// The command that trains such a model.
  package var command: String { self == .student ? "calm distill" : "calm train \(rawValue)" }

  /// The settings of runs that train such a model.
  public var settings: any RunSettings.Type {
    switch self {
    case .autoencoder: AutoencoderSettings.self
    case .lm: LanguageModelSettings.self
    case .transformer: TransformerSettings.self
    case .student: DistillationSettings.self
    }
  }
}

/// The configuration of a model, as the training loop needs it for any kind.
public protocol ModelConfiguration: Codable, Hashable, Sendable {
  /// K, the tokens of a chunk; 1 where the model predicts tokens.
  var chunkSize: Int { get }
  /// V.
  var vocabularySize: Int { get set }
  /// The ids of padding and of a document's end and start.
  var special: SpecialTokens { get set }
}

extension AutoencoderConfiguration: ModelConfiguration {}

extension LanguageModelConfiguration: ModelConfiguration {}

extension AutoregressiveConfiguration: ModelConfiguration {
  /// A token.
  public var chunkSize: Int { 1 }
}

import CALM

/// The kinds of model that can be trained, with their names in `calm train`.
public enum ModelKind: String, Codable, CaseIterable, Sendable {
  /// An autoencoder of chunks.
  case autoencoder
  /// A continuous language model on an autoencoder's latents.
  case lm
  /// The autoregressive baseline.
  case transformer
  /// A language model whose head is distilled into one step.
  case student

  /// The command that trains a model of this kind.
  package var command: String { self == .student ? "calm distill" : "calm train \(rawValue)" }

  /// The settings of runs that train a model of this kind.
  public var settings: any RunSettings.Type {
    switch self {
    case .autoencoder: AutoencoderSettings.self
    case .lm: LanguageModelSettings.self
    case .transformer: TransformerSettings.self
    case .student: DistillationSettings.self
    }
  }
}

/// The configuration of a model of any kind, for the training loop.
public protocol ModelConfiguration: Codable, Hashable, Sendable {
  /// K, tokens per chunk; 1 if the model predicts tokens.
  var chunkSize: Int { get }
  /// V.
  var vocabularySize: Int { get set }
  /// The ids of padding, end of text and start of text.
  var special: SpecialTokens { get set }
}

extension AutoencoderConfiguration: ModelConfiguration {}

extension LanguageModelConfiguration: ModelConfiguration {}

extension AutoregressiveConfiguration: ModelConfiguration {
  /// 1: a chunk is a token.
  public var chunkSize: Int { 1 }
}

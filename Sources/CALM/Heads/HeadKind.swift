import Torch

/// The kinds of generative head. The raw values are `model_type` in configurations and the names on the command line.
public enum HeadKind: String, CaseIterable, Codable, Sendable {
  /// One step from noise to latent, trained with the energy score: the paper's head.
  case energy
  /// Denoising in 100 steps.
  case diffusion
  /// A flow from noise to latent, solved in 10 midpoint steps of two evaluations each.
  case flow
  /// A flow over token embeddings, whose velocity follows from a posterior over tokens.
  case posterior
  /// A small network that predicts the K tokens one after the other, without a continuous vector.
  case tokens

  /// The class of heads of this kind.
  package var type: any GenerativeHead.Type {
    switch self {
    case .energy: EnergyHead.self
    case .diffusion: DiffusionHead.self
    case .flow: FlowHead.self
    case .posterior: PosteriorHead.self
    case .tokens: TokensHead.self
    }
  }

  /// Whether the head samples latents of an autoencoder. Other heads sample tokens and need no autoencoder.
  public var usesAutoencoder: Bool { type is any LatentHead.Type }

  /// Whether heads of this kind can be distilled into one step.
  public var isDistillable: Bool { type is any DistillableHead.Type }

  /// The kind of head of official models with this class name; nil for an unknown name.
  init?(architecture: String) {
    guard let kind = Self.allCases.first(where: { $0.type.architecture == architecture }) else { return nil }
    self = kind
  }

  /// The kind of head whose weights a checkpoint contains; nil if it contains no known head.
  static func inferred(from source: some TensorSource, sizes: LanguageModelConfiguration) -> HeadKind? {
    allCases.first { kind in
      let signature = kind.type.signatureTensor(of: sizes)
      return source.shape(of: signature.name) == signature.shape
    }
  }
}

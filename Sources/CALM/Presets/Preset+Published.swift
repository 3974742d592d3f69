extension Preset {
  /// A row of the paper's Table 1.
  public struct Published: Hashable, Sendable, Codable {
    /// Parameters without the autoencoder.
    public let parameters: Double
    /// Total training FLOPs.
    public let training: Double
    /// FLOPs per generated token.
    public let inferencePerToken: Double
    /// BrierLM.
    public let brierLM: Double
  }

  /// The tokens of the paper's language models: 250,000 steps of 2 million. (The published scripts use 2²¹ tokens
  /// per step; Table 1 agrees with the round number.)
  public static let paperTokens = 5e11

  /// The tokens of the paper's autoencoder: 30,000 steps of 256 sequences of 2,048.
  public static let paperAutoencoderTokens = 30_000.0 * 256 * 2048

  /// The row of this model in the paper's Table 1; nil if it has none.
  public var published: Published? {
    func row(_ parameters: Double, _ training: Double, _ inference: Double, _ brierLM: Double) -> Published {
      Published(
        parameters: parameters, training: training * 1e20, inferencePerToken: inference * 1e8, brierLM: brierLM)
    }
    return switch self {
    case .transformerS: row(281e6, 6.6, 4.4, 6.05)
    case .transformerM: row(465e6, 11.9, 7.9, 7.07)
    case .transformerL: row(849e6, 22.5, 15.0, 8.98)
    case .calmM: row(371e6, 3.7, 2.9, 5.72)
    case .calmL: row(735e6, 7.7, 4.6, 6.58)
    case .calmXL: row(1.82e9, 19.5, 9.4, 8.53)
    case .autoencoder, .small: nil
    }
  }

  /// FLOPs of a training run as long as the paper's, including the autoencoder's: the quantity in Table 1.
  public var paperTraining: Double {
    let language = model.cost.trainingPerToken * Self.paperTokens
    guard case .continuous(_, let autoencoder?) = model else { return language }
    return language + autoencoder.cost.trainingPerToken * Self.paperAutoencoderTokens
  }
}

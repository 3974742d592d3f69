/// Where a continuous language model loses quality. Each value is nil for a model to which it does not apply.
public struct LanguageModelDiagnostics: Codable, Sendable {
  /// Brier-1 to Brier-4 of the projection that predicts each token on its own, as if it sampled the tokens of a chunk
  /// independently: exact, from its probabilities. The lead of the model over it is what the head knows of the
  /// dependence between the tokens. Nil below K = 4, and without a projection that was trained by itself.
  public internal(set) var independentBrier: [Double]?
  /// The BrierLM of ``independentBrier``.
  public internal(set) var independentBrierLM: Double?
  /// The cross-entropy of that projection in nats per token, padding included.
  public internal(set) var independentCrossEntropy: Double?
  /// The mean probability of the tokens to which sampled latents decode. It is low where samples lie between the
  /// latents of chunks. Nil for a head that samples tokens.
  public internal(set) var decoderConfidence: Double?
  /// Brier-1 minus the Brier-1 against the chunk after each true one. It is 0 for a model that ignores its context.
  public internal(set) var brierGap: Double?
  /// The energy score against the latent after each true one, minus the energy score. It is 0 for a model that ignores
  /// its context. Nil for a head that samples tokens.
  public internal(set) var energyGap: Double?
  /// The cross-entropy of the posterior head by time; nil for other heads and for a one-step head.
  public internal(set) var crossEntropyByTime: [TimeInterval]?
  /// The share of tokens in which a one-step model and its teacher agree, given the same noise; nil without a teacher.
  public internal(set) var teacherAgreement: Double?

  /// The cross-entropy of the posterior head at uniformly distributed times.
  public struct TimeInterval: Codable, Sendable {
    /// The earliest time.
    public let from: Double
    /// The latest time.
    public let to: Double
    /// In nats per token.
    public let crossEntropy: Double
  }
}

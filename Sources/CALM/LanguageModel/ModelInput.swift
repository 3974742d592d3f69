import Torch

/// The input of a continuous language model for each chunk: an ablation of the paper.
public enum ModelInput: String, Codable, Hashable, Sendable, CaseIterable {
  /// The compressed token embeddings, as in the paper.
  case tokens
  /// The projected latent: from the encoder in training and evaluation, sampled by the head in generation.
  case latents
  /// The sum of both.
  case both

  var hasTokens: Bool { self != .latents }
  var hasLatents: Bool { self != .tokens }
}

/// A chunk's latent → the Transformer's input: Linear, LayerNorm.
package final class LatentProjection: Module {
  @Submodule("0") var linear: Linear
  @Submodule("1") var norm: LayerNorm

  init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    linear = Linear(configuration.latentSize, configuration.hiddenSize, generator: generator)
    norm = LayerNorm(configuration.hiddenSize, epsilon: 1e-6, device: generator.device)
  }

  /// - Parameter latents: […, l] → […, h].
  func callAsFunction(_ latents: Tensor) -> Tensor {
    norm(linear(latents.to(linear.weight.dtype)))
  }
}

import CALM
import Torch

/// A posterior head with random weights, the token embeddings, hidden states, and noise.
struct PosteriorWorld {
  static let (chunkSize, d, h, positions) = (3, 4, 32, 3)

  let head: PosteriorHead
  let vocabulary: Tensor
  let hidden: Tensor
  /// [samples, positions, K·d].
  let noise: Tensor

  /// - Parameters:
  ///   - dtype: the type of the weights, which are numbers of bfloat16 in any case.
  ///   - samples: the candidates of each position.
  init(_ dtype: DType, isOneStep: Bool, samples: Int, vocabularySize: Int = 50) {
    let (chunkSize, d, h, positions) = (Self.chunkSize, Self.d, Self.h, Self.positions)
    var sizes = LanguageModelConfiguration(
      vocabularySize: vocabularySize, chunkSize: chunkSize, latentSize: chunkSize * d, hiddenSize: h,
      attentionHeads: 2, head: .posterior, headBlocks: 2)
    sizes.isOneStep = isOneStep
    let generator = Generator(seed: 3)
    func normal(_ shape: [Int], _ deviation: Double) -> Tensor {
      generator.normal(shape, deviation: deviation).to(.bfloat16).to(dtype)
    }
    let head = PosteriorHead(sizes, generator: generator)
    head.setTrainable(false)
    head.convert(to: dtype)
    for parameter in head.namedParameters() {
      // Prior, evidence and coupling have about the same share of the logits.
      let isSmall = ["prior", "final_layer.linear", "adaLN"].contains { parameter.name.contains($0) }
      let deviation = parameter.name.contains("time_embed") ? 0.03 : isSmall ? 0.1 : 0.3
      parameter.tensor.copy(from: normal(parameter.tensor.shape, deviation))
      if parameter.name == "evidence_scale" { parameter.tensor.copy(from: .full([1], 1)) }
    }
    self.head = head
    (vocabulary, hidden) = (normal([vocabularySize, h], 0.5), normal([positions, h], 1))
    noise = generator.normal([samples, positions, chunkSize * d])
  }
}

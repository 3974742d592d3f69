import Torch

/// The single-step generative head, which maps noise and a hidden state to a sample of the next latent.
///
/// It is trained with the energy score and needs neither likelihoods nor iteration. See the paper, section 3. Initial
/// weights have the standard deviation 1/√inputs instead of the official 0.02: at a hidden size of 192, BrierLM then
/// exceeded 20 after 250 steps instead of about 600.
package final class EnergyHead: LatentHead {
  package static let architecture = "EnergyTransformer"
  package static let key = "mlp_generator"

  @Submodule("noise_embd") var noiseEmbedding: Linear
  @Submodule("hidden_embd") var hiddenEmbedding: Linear
  @Submodule("norm_noise") var noiseNorm: LayerNorm
  @Submodule("norm_hidden") var hiddenNorm: LayerNorm
  @Submodule("mlp_blocks") package var blocks: [EnergyHeadBlock]
  @Submodule("final_layer") var final: EnergyHeadOutput
  private let configuration: LanguageModelConfiguration
  private let packed = PackedRowWeights()

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    let h = configuration.hiddenSize
    noiseEmbedding = Linear(configuration.noiseSize, h, generator: generator)
    hiddenEmbedding = Linear(h, h, generator: generator)
    noiseNorm = LayerNorm(h, epsilon: 1e-6, device: generator.device)
    hiddenNorm = LayerNorm(h, epsilon: 1e-6, device: generator.device)
    blocks = (0..<configuration.headBlocks).map { _ in
      EnergyHeadBlock(h, generator: generator)
    }
    final = EnergyHeadOutput(h, configuration.latentSize, generator: generator)
  }

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    ("\(key).final_layer.linears.2.weight", [configuration.latentSize, configuration.hiddenSize])
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    let (h, blocks) = (configuration.hiddenSize, configuration.headBlocks)
    // Products with the hidden state are the same for all samples: h² at the input and h² in each block.
    let shared = (1 + blocks) * h * h
    let perSample = configuration.noiseSize * h + blocks * 5 * h * h + h * h + h * configuration.latentSize
    let biasesAndNorms = 2 * h + 4 * h + blocks * 7 * h + 3 * h + configuration.latentSize
    // The hidden state, its embedding and the condition. For each sample: the noise and its embedding; in each block
    // the norm's input and result, both sides of two SiLUs, the gates and their product; four values in the output.
    let activationsPerSample = configuration.noiseSize + h + blocks * 9 * h + 4 * h
    return HeadCost(
      parameters: shared + perSample + biasesAndNorms, inferenceMACs: shared + perSample,
      trainingMACs: shared + configuration.samples * perSample,
      activations: 3 * h + configuration.samples * activationsPerSample)
  }

  package var noiseCount: Int { configuration.noiseSize }

  /// Uniform noise in [−½, ½), [samples, positions, d].
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.uniform([samples, positions, configuration.noiseSize], in: -0.5..<0.5, along: 1)
  }

  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: [samples, positions, d].
  /// - Returns: latents, [samples, positions, l].
  package func callAsFunction(_ hidden: Tensor, noise: Tensor) -> Tensor {
    let condition = hiddenNorm(hiddenEmbedding(hidden))  // [positions, h]
    return rowwise(noise.to(hidden.dtype), packed: packed) { noise in
      var e = noiseNorm(noiseEmbedding(noise))  // [samples, positions, h]
      for block in blocks { e = block(e, condition: condition) }
      return final(e)  // [samples, positions, l]
    }
  }

  package func loss(hidden: Tensor, targets: LatentDistribution, generator: Generator) -> Tensor {
    let noise = noise(samples: configuration.samples, positions: hidden.shape[0], generator: generator)
    guard let logDeviation = targets.logDeviation else {
      // All samples of a point are equal.
      return loss(hidden: hidden, noise: noise, targets: targets.mean.reshaped([1] + targets.mean.shape))
    }
    return energyScore(
      samples: self(hidden, noise: noise), targetMean: targets.mean, targetDeviation: logDeviation.exp(),
      targetCount: configuration.targetSamples, exponent: configuration.exponent, generator: generator
    ).mean()
  }

  /// The energy score for given random numbers, a mean over positions.
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - noise: [N, positions, d].
  ///   - targets: samples of the true latents, [M, positions, l], float32.
  package func loss(hidden: Tensor, noise: Tensor, targets: Tensor) -> Tensor {
    energyScore(samples: self(hidden, noise: noise), targets: targets, exponent: configuration.exponent).mean()
  }
}

/// A residual block of the energy head: e + down(silu(gate) · up), where a three-layer network of [LayerNorm(e),
/// condition] returns gate and up.
package final class EnergyHeadBlock: Module {
  @Submodule("in_ln") var norm: LayerNorm
  @Submodule("linears.0") var input: Linear
  @Submodule("linears.2") var middle: Linear
  @Submodule("linears.4") var gates: Linear
  @Submodule("down_proj") var down: Linear

  init(_ hiddenSize: Int, generator: Generator) {
    norm = LayerNorm(hiddenSize, epsilon: 1e-6, device: generator.device)
    input = Linear(2 * hiddenSize, hiddenSize, generator: generator)
    middle = Linear(hiddenSize, hiddenSize, generator: generator)
    gates = Linear(hiddenSize, 2 * hiddenSize, generator: generator)
    down = Linear(hiddenSize, hiddenSize, generator: generator)
  }

  /// - Parameters:
  ///   - e: [samples, positions, h].
  ///   - condition: [positions, h].
  /// - Returns: [samples, positions, h].
  package func callAsFunction(_ e: Rows, condition: Tensor) -> Rows {
    // input([norm(e), condition]) as a sum: the product with the condition is the same for all samples of a position.
    let weights = input.weight.split(2, along: 1)  // [h, h] each
    let shared = linear(condition, weight: weights[1], bias: input.bias)  // [positions, h]
    var x = silu(linear(norm(e), weight: weights[0]) + shared)  // [samples, positions, h]
    x = silu(middle(x))
    let (gate, up) = gates(x).halves()  // [samples, positions, h] each
    return e + down(silu(gate) * up)
  }
}

/// LayerNorm, Linear, SiLU, Linear(h → l). The last layer starts at zero.
final class EnergyHeadOutput: Module {
  @Submodule("in_ln") var norm: LayerNorm
  @Submodule("linears.0") var hidden: Linear
  @Submodule("linears.2") var latent: Linear

  init(_ hiddenSize: Int, _ latentSize: Int, generator: Generator) {
    norm = LayerNorm(hiddenSize, epsilon: 1e-6, device: generator.device)
    hidden = Linear(hiddenSize, hiddenSize, generator: generator)
    latent = Linear(hiddenSize, latentSize, deviation: 0, generator: generator)
  }

  /// […, h] → […, l].
  func callAsFunction(_ e: Rows) -> Rows {
    latent(silu(hidden(norm(e))))
  }
}

import Torch

/// A generative head by flow matching: a velocity field carries noise to the latent (Lipman et al., 2023).
///
/// A one-step head is distilled from such a head (``DistillableHead``): it takes a single step of the whole length.
///
/// Trained on straight paths x_t = (1 − t)·x_0 + t·x_1 from noise x_0 to target x_1, whose velocity is x_1 − x_0.
package final class FlowHead: LatentHead, DistillableHead {
  package static let architecture = "FlowTransformer"
  package static let key = "generative_head"
  /// Steps of the midpoint solver, each of two evaluations.
  package static let steps = 10

  @Submodule("net") var network: AdaptiveNetwork
  private let configuration: LanguageModelConfiguration

  package init(_ configuration: LanguageModelConfiguration, generator: Generator) {
    self.configuration = configuration
    network = AdaptiveNetwork(
      configuration, inputs: configuration.latentSize, outputs: configuration.latentSize, generator: generator)
  }

  package static func signatureTensor(of configuration: LanguageModelConfiguration) -> (name: String, shape: [Int]) {
    ("\(key).net.final_layer.linear.weight", [configuration.latentSize, configuration.hiddenSize])
  }

  package static func cost(of configuration: LanguageModelConfiguration) -> HeadCost {
    AdaptiveNetwork.cost(
      of: configuration, inputs: configuration.latentSize, outputs: configuration.latentSize,
      evaluations: configuration.isOneStep ? 1 : 2 * steps, trainingSamples: configuration.samples)
  }

  package var noiseCount: Int { configuration.latentSize }

  /// Standard normal numbers, the start of the flow: [samples, positions, l].
  package func noise(samples: Int, positions: Int, generator: Generator) -> Tensor {
    generator.normal([samples, positions, configuration.latentSize], along: 1)
  }

  package func callAsFunction(_ hidden: Tensor, noise: Tensor) -> Tensor {
    let condition = network.embedded(hidden)
    var x = noise.to(.float32)
    if configuration.isOneStep { return x + velocity(x, at: 0, condition) }
    let length = 1 / Double(Self.steps)
    for times in Self.solverTimes {
      let middle = x + velocity(x, at: times.start, condition) * (length / 2)
      x = x + velocity(middle, at: times.middle, condition) * length
    }
    return x
  }

  /// The times of the two evaluations of each step, as inputs of the network.
  package static var solverTimes: [(start: Int, middle: Int)] {
    let unit = TimeEmbedding.times / steps
    return (0..<steps).map { ($0 * unit, $0 * unit + unit / 2) }
  }

  private func velocity(_ x: Tensor, at time: Int, _ condition: Tensor) -> Tensor {
    network(x, times: Tensor([Int64(time)], device: x.device), condition: condition).to(.float32)
  }

  package func loss(hidden: Tensor, targets: LatentDistribution, generator: Generator) -> Tensor {
    let samples = withoutGradients { targets.samples(configuration.samples, generator: generator) }
    let shape = samples.shape
    return losses(
      hidden: hidden, targets: samples, times: generator.uniform([shape[0], shape[1]], along: 1),
      start: generator.normal(shape, along: 1)
    ).mean()
  }

  /// The mean square error of the velocity for each sample, [samples, positions].
  ///
  /// - Parameters:
  ///   - hidden: [positions, h].
  ///   - targets: x_1, [samples, positions, l], float32.
  ///   - times: t in [0, 1), [samples, positions], float32.
  ///   - start: x_0, [samples, positions, l].
  package func losses(hidden: Tensor, targets: Tensor, times: Tensor, start: Tensor) -> Tensor {
    let t = times.reshaped(times.shape + [1])
    let x = start * (1 - t) + targets * t
    let found = network(x, times: Self.networkTimes(times), condition: network.embedded(hidden)).to(.float32)
    return (found - (targets - start)).squared().mean(-1)
  }

  /// The mean square distance of the latents.
  package func distillationLoss(
    from teacher: any GenerativeHead, hidden: Tensor, noise: Tensor, vocabulary: Tensor
  ) -> Tensor {
    guard let teacher = teacher as? FlowHead else {
      preconditionFailure("a one-step head learns from a head of its kind")
    }
    let ends = withoutGradients { teacher(hidden, noise: noise) }
    return (self(hidden, noise: noise) - ends).squared().mean()
  }

  /// ⌊1000·t⌋: the network has embeddings for a thousand times.
  package static func networkTimes(_ times: Tensor) -> Tensor {
    (times * Double(TimeEmbedding.times)).to(.int64)
  }
}

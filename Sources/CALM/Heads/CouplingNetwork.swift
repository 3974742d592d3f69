import Torch

/// The network of the posterior head: how the K tokens of a chunk depend on each other.
///
/// It has one row of size h for each token. The first layer mixes the K tokens; the residual blocks then transform each
/// row on its own, shifted, scaled and gated by times and condition as in ``AdaptiveNetwork``. One row for all K tokens
/// would have to carry K times the content in the same width.
///
/// Gates, modulations and the last layer start at zero, so an untrained network returns zero for every input.
final class CouplingNetwork: Module {
  @Submodule("time_embed") var time: TimeEmbedding
  @Submodule("cond_embed") var condition: Linear
  @Submodule("input_proj") var input: Linear
  @Submodule("res_blocks") var blocks: [AdaptiveBlock]
  @Submodule("final_layer") var final: AdaptiveOutput
  private let chunkSize: Int

  /// - Parameter inputs: the size of the input of a position.
  init(_ configuration: LanguageModelConfiguration, inputs: Int, generator: Generator) {
    let (h, k) = (configuration.hiddenSize, configuration.chunkSize)
    chunkSize = k
    time = TimeEmbedding(h, times: k, generator: generator)
    condition = Linear(h, h, generator: generator)
    input = Linear(inputs, k * h, generator: generator)
    blocks = (0..<configuration.headBlocks).map { _ in AdaptiveBlock(h, generator: generator) }
    final = AdaptiveOutput(h, h, generator: generator)
  }

  /// - Parameters:
  ///   - x: [samples, positions, inputs].
  ///   - times: the times of the K tokens, integers from 0 to 999, int64: [K] if all samples share them, else [samples,
  ///     positions, K].
  ///   - condition: the result of ``embedded(_:)``, [positions, h].
  /// - Returns: [samples, positions, K·h].
  func callAsFunction(_ x: Tensor, times: Tensor, condition: Tensor) -> Tensor {
    // The modulation is that of the position: its K rows share it.
    let shared = silu(time(times) + condition)  // [(samples,) positions, h]
    let modulation = shared.reshaped(Array(shared.shape.dropLast()) + [1, -1])
    let mixed = input(x.to(input.weight.dtype))  // [samples, positions, K·h]
    var rows = mixed.reshaped(x.shape[0], x.shape[1], chunkSize, -1)  // [samples, positions, K, h]
    for block in blocks { rows = block(rows, modulation: modulation) }
    return final(rows, modulation: modulation).reshaped(mixed.shape)
  }

  /// The modulations of positions: shift, scale and gate of each block, then shift and scale of the output.
  ///
  /// - Parameters:
  ///   - time: the embedding of the times of the K tokens, [h], or several of them, [times, 1, h].
  ///   - condition: the result of ``embedded(_:)``, [positions, h].
  /// - Returns: [(times,) positions, (3·blocks + 2)·h].
  func modulations(time: Tensor, condition: Tensor) -> Tensor {
    blocks.modulations(and: final, from: silu(time + condition))
  }

  /// The condition of the hidden states, computed once for all evaluations of the network: [positions, h].
  func embedded(_ hidden: Tensor) -> Tensor { condition(hidden) }

  /// - Parameters:
  ///   - inputs: as in the initializer.
  ///   - evaluations: the number of evaluations of the network per sample.
  ///   - trainingSamples: the samples per position in training.
  static func cost(
    of configuration: LanguageModelConfiguration, inputs: Int, evaluations: Int, trainingSamples: Int
  ) -> HeadCost {
    let (h, k, blocks) = (configuration.hiddenSize, configuration.chunkSize, configuration.headBlocks)
    let time = k * TimeEmbedding.frequencies * h + h * h
    let modulations = blocks * 3 * h * h + 2 * h * h
    let layers = blocks * 2 * h * h + h * h  // of each row
    let body = inputs * k * h + modulations + k * layers
    let biases = 3 * h + k * h + blocks * (2 * h + 5 * h) + 3 * h
    return HeadCost(
      parameters: time + h * h + inputs * k * h + modulations + layers + biases,
      // The embedding of a time is the same for all positions, so it is not counted.
      inferenceMACs: h * h + evaluations * body,
      trainingMACs: h * h + trainingSamples * (time + body),
      // The hidden state. For each sample: the input, the times' waves and two SiLUs; in each block the modulation, and
      // for each row the norm's input and result, the layers' inputs and the gated output; the same in the output.
      activations: h
        + trainingSamples
        * (inputs + k * TimeEmbedding.frequencies + 4 * h + blocks * (3 * h + 6 * k * h) + 2 * h + 3 * k * h))
  }
}

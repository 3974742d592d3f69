import Foundation
import Torch

/// The network of the diffusion and flow heads: residual blocks whose norms are shifted, scaled and gated by time and
/// condition (adaLN; Peebles and Xie, 2023).
///
/// Gates, modulations and the last layer start at zero, so an untrained network returns zero for every input.
final class AdaptiveNetwork: Module {
  @Submodule("time_embed") var time: TimeEmbedding
  @Submodule("cond_embed") var condition: Linear
  @Submodule("input_proj") var input: Linear
  @Submodule("res_blocks") var blocks: [AdaptiveBlock]
  @Submodule("final_layer") var final: AdaptiveOutput

  /// - Parameters:
  ///   - inputs: the size of the input vectors.
  ///   - outputs: the size of the output vectors, for example l for a velocity, or 2l for noise and its variance.
  init(_ configuration: LanguageModelConfiguration, inputs: Int, outputs: Int, generator: Generator) {
    let h = configuration.hiddenSize
    time = TimeEmbedding(h, times: 1, generator: generator)
    condition = Linear(h, h, generator: generator)
    input = Linear(inputs, h, generator: generator)
    blocks = (0..<configuration.headBlocks).map { _ in AdaptiveBlock(h, generator: generator) }
    final = AdaptiveOutput(h, outputs, generator: generator)
  }

  /// - Parameters:
  ///   - x: [samples, positions, inputs].
  ///   - times: integers from 0 to 999, int64: [1] if all samples share the time, else [samples, positions].
  ///   - condition: the result of ``embedded(_:)``, [positions, h].
  /// - Returns: [samples, positions, outputs].
  func callAsFunction(_ x: Tensor, times: Tensor, condition: Tensor) -> Tensor {
    // With one time for all samples, the modulation is the same for all samples of a position.
    let modulation = silu(time(times.reshaped(times.shape + [1])) + condition)
    var x = input(x.to(input.weight.dtype))  // [samples, positions, h]
    for block in blocks { x = block(x, modulation: modulation) }
    return final(x, modulation: modulation)  // [samples, positions, outputs]
  }

  /// The condition of the hidden states, computed once for all evaluations of the network: [positions, h].
  func embedded(_ hidden: Tensor) -> Tensor { condition(hidden) }

  /// - Parameters:
  ///   - inputs: as in the initializer.
  ///   - outputs: as in the initializer.
  ///   - evaluations: the number of evaluations of the network per sample.
  ///   - trainingSamples: the samples per position in training.
  static func cost(
    of configuration: LanguageModelConfiguration, inputs: Int, outputs: Int, evaluations: Int, trainingSamples: Int
  ) -> HeadCost {
    let (h, blocks) = (configuration.hiddenSize, configuration.headBlocks)
    let time = TimeEmbedding.frequencies * h + h * h
    let body = inputs * h + blocks * 5 * h * h + 2 * h * h + h * outputs
    let biases = 4 * h + blocks * (2 * h + 5 * h) + 2 * h + outputs
    return HeadCost(
      parameters: time + h * h + body + biases,
      // The embedding of a time is the same for all positions, so it is not counted.
      inferenceMACs: h * h + evaluations * body,
      trainingMACs: h * h + trainingSamples * (time + body),
      // The hidden state. For each sample: the input, the time's waves and two SiLUs; in each block the modulation, the
      // norm's input and result, the layers' inputs and the gated output; four values in the output.
      activations: h
        + trainingSamples * (inputs + TimeEmbedding.frequencies + 4 * h + blocks * 9 * h + 4 * h))
  }
}

/// The sines and cosines of one or more times at 128 frequencies each, then Linear, SiLU, Linear.
final class TimeEmbedding: Module {
  static let frequencies = 256
  /// Times are integers below this.
  static let times = 1000

  @Submodule("mlp.0") var expand: Linear
  @Submodule("mlp.2") var mix: Linear
  private var table: Tensor

  /// - Parameter times: the number of times.
  init(_ hiddenSize: Int, times: Int, generator: Generator) {
    table = Self.waves(device: generator.device)
    expand = Linear(times * Self.frequencies, hiddenSize, generator: generator)
    mix = Linear(hiddenSize, hiddenSize, generator: generator)
  }

  /// - Parameter times: int64, […, times] → […, h].
  func callAsFunction(_ times: Tensor) -> Tensor {
    if table.device != times.device { table = table.to(device: times.device) }
    let waves = embedding(times, weight: table).reshaped(Array(times.shape.dropLast()) + [-1])
    return mix(silu(expand(waves.to(expand.weight.dtype))))
  }

  /// The cosines, then the sines of t·10000^(−i/128), in float32 as in the official code: [1000, 256].
  private static func waves(device: Device) -> Tensor {
    let half = frequencies / 2
    let rates = (0..<half).map { expf(Float(-log(10_000.0)) * Float($0) / Float(half)) }
    let values = (0..<times).flatMap { time in
      rates.map { cosf(Float(time) * $0) } + rates.map { sinf(Float(time) * $0) }
    }
    return Tensor(values, shape: [times, frequencies], device: device)
  }
}

/// x + gate · MLP(LayerNorm(x) · (1 + scale) + shift).
final class AdaptiveBlock: Module {
  @Submodule("in_ln") var norm: LayerNorm
  @Submodule("mlp.0") var hidden: Linear
  @Submodule("mlp.2") var output: Linear
  @Submodule("adaLN_modulation.1") var modulation: Linear

  init(_ hiddenSize: Int, generator: Generator) {
    norm = LayerNorm(hiddenSize, epsilon: 1e-6, device: generator.device)
    hidden = Linear(hiddenSize, hiddenSize, generator: generator)
    output = Linear(hiddenSize, hiddenSize, generator: generator)
    modulation = Linear(hiddenSize, 3 * hiddenSize, deviation: 0, generator: generator)
  }

  func callAsFunction(_ x: Tensor, modulation y: Tensor) -> Tensor { self(x, modulated: modulation(y)) }

  /// - Parameter modulation: shift, scale and gate, […, 3h].
  func callAsFunction(_ x: Tensor, modulated modulation: Tensor) -> Tensor {
    let parts = modulation.split(3)  // […, h] each
    let (shift, scale, gate) = (parts[0], parts[1], parts[2])
    return x + gate * output(silu(hidden(norm(x) * (scale + 1) + shift)))
  }
}

extension [AdaptiveBlock] {
  /// The modulations of the blocks and of the output after them: shift, scale and gate of each block, then shift and
  /// scale of the output, […, (3·blocks + 2)·h].
  func modulations(and output: AdaptiveOutput, from y: Tensor) -> Tensor {
    .concatenated((map(\.modulation) + [output.modulation]).map { $0(y) }, along: -1)
  }

  /// The blocks and the output after them, without the modulations, for fused heads.
  func packed(with output: AdaptiveOutput) -> PackedAdaptiveNetwork {
    PackedAdaptiveNetwork(
      map { PackedAdaptiveNetwork.Block(norm: $0.norm, hidden: $0.hidden, output: $0.output) }, output: output.linear)
  }

  /// The parameters that ``packed(with:)`` reads.
  func packedParameters(with output: AdaptiveOutput) -> [Tensor] {
    flatMap { [$0.norm.weight, $0.norm.bias] + $0.hidden.parameters + $0.output.parameters } + output.linear.parameters
  }
}

/// Linear(LayerNorm(x) · (1 + scale) + shift), with a norm without parameters.
final class AdaptiveOutput: Module {
  @Submodule("linear") var linear: Linear
  @Submodule("adaLN_modulation.1") var modulation: Linear

  init(_ hiddenSize: Int, _ outputs: Int, generator: Generator) {
    linear = Linear(hiddenSize, outputs, deviation: 0, generator: generator)
    modulation = Linear(hiddenSize, 2 * hiddenSize, deviation: 0, generator: generator)
  }

  func callAsFunction(_ x: Tensor, modulation y: Tensor) -> Tensor { self(x, modulated: modulation(y)) }

  /// - Parameter modulation: shift and scale, […, 2h].
  func callAsFunction(_ x: Tensor, modulated modulation: Tensor) -> Tensor {
    let parts = modulation.split(2)  // […, h] each
    return linear(layerNorm(x, epsilon: 1e-6) * (parts[1] + 1) + parts[0])
  }
}

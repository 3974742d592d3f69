import Foundation
import Torch

/// The network of the posterior head: how the K tokens of a chunk depend on each other.
///
/// It has one row of size h for each token. The first layer mixes the K tokens; the residual blocks transform each row
/// on its own, shifted, scaled and gated by the times and the condition (``AdaptiveBlock``). The last layer starts at
/// zero, so an untrained network returns zero.
final class CouplingNetwork: Module {
  @Submodule("time_embed") var time: TimeEmbedding
  @Submodule("cond_embed") var condition: Linear
  @Submodule("input_proj") var input: Linear
  @Submodule("mix") var mix: [Linear]
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
    let mixes = ProcessInfo.processInfo.environment["TRIAL_MIX"] != nil
    mix = (0..<(mixes ? configuration.headBlocks : 0)).map { _ in
      Linear(k * h, k * h, deviation: 0, generator: generator)
    }
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
    let shared = silu(time(times) + condition)  // [(samples,) positions, h]
    let modulation = shared.reshaped(shared.shape.dropLast() + [1, shared.shape[shared.rank - 1]])
    let wide = input(x.to(input.weight.dtype))  // [samples, positions, K·h]
    var rows = wide.reshaped(x.shape[0], x.shape[1], chunkSize, -1)  // [samples, positions, K, h]
    for (index, block) in blocks.enumerated() {
      if !mix.isEmpty {
        rows = rows + mix[index](layerNorm(rows, epsilon: 1e-6).reshaped(wide.shape)).reshaped(rows.shape)
      }
      rows = block(rows, modulation: modulation)
    }
    return final(rows, modulation: modulation).reshaped(wide.shape)
  }

  /// The condition of the hidden states, computed once for all evaluations of the network: [positions, h].
  func embedded(_ hidden: Tensor) -> Tensor { condition(hidden) }
}

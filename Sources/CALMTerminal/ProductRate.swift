import CALMSupport
import Torch

/// Measures products of 1024 × 1024 matrices, computed as in the linear layers of the models, in GFLOP/s. On a GPU the
/// matrices are 8192 × 8192, because smaller products take less time than their start.
package func productRate(_ type: DType, on device: Device = .cpu) -> Double {
  let size = device == .cpu ? 1024 : 8192
  let generator = Generator(seed: 0, device: device)
  let (x, weight) = (generator.normal([size, size]).to(type), generator.normal([size, size]).to(type))
  return withoutGradients {
    _ = linear(x, weight: weight).sum().item()
    let start = ContinuousClock.now
    var products = 0
    var seconds = 0.0
    var last = x
    repeat {
      for _ in 0..<16 { last = linear(x, weight: weight) }
      // Reading a result waits for the GPU.
      if device != .cpu { _ = last.sum().item() }
      products += 16
      seconds = start.duration(to: .now).seconds
    } while seconds < 0.8
    return 2 * Double(size * size * size * products) / seconds / 1e9
  }
}

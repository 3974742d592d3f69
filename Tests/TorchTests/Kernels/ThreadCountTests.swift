import Testing
import Torch

/// The kernels compute the same bits with any number of threads, because sums are not split at thread boundaries.
@Suite("Thread counts", .serialized)
struct ThreadCountTests {
  /// The bytes that `body` computes on one, two and three threads. The count is local to the thread that sets it.
  private func results(_ body: () -> [Tensor]) -> [[[UInt8]]] {
    let before = Runtime.threads
    defer { Runtime.threads = before }
    return [1, 2, 3].map { count in
      Runtime.threads = count
      return body().map(\.rawBytes)
    }
  }

  private func expectSame(_ results: [[[UInt8]]], sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(results[0] == results[1] && results[0] == results[2], sourceLocation: sourceLocation)
  }

  private func withGradients(_ leaves: [Tensor], _ body: ([Tensor]) -> Tensor) -> [Tensor] {
    let leaves = leaves.map { $0.leaf($0.dtype) }
    let result = body(leaves)
    result.backward(Generator(seed: 9).normal(result.shape).to(result.dtype))
    return [result.detached()] + leaves.compactMap(\.gradient)
  }

  @Test("RMSNorm gives the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func rootMeanSquare(dtype: DType) {
    let (x, weight) = (Generator(seed: 1).normal([301, 97]).to(dtype), Generator(seed: 2).normal([97]).to(dtype))
    expectSame(results { withGradients([x, weight]) { rmsNorm($0[0], weight: $0[1], epsilon: 1e-6) } })
  }

  @Test("SwiGLU gives the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func gate(dtype: DType) {
    let (gate, up) = (Generator(seed: 1).normal([30_001]).to(dtype), Generator(seed: 2).normal([30_001]).to(dtype))
    expectSame(results { withGradients([gate, up]) { swiGLU(gate: $0[0], up: $0[1]) } })
    let (both, bias) = (
      Generator(seed: 3).normal([97, 2 * 211]).to(dtype), Generator(seed: 4).normal([2 * 211]).to(dtype)
    )
    expectSame(results { withGradients([both, bias]) { swiGLU($0[0], plus: $0[1]) } })
  }

  @Test("LayerNorm gives the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func layers(dtype: DType) {
    let x = Generator(seed: 1).normal([301, 97]).to(dtype)
    let (weight, bias) = (Generator(seed: 2).normal([97]).to(dtype), Generator(seed: 3).normal([97]).to(dtype))
    expectSame(
      results { withGradients([x, weight, bias]) { layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-6) } })
  }

  @Test("SiLU of a sum gives the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func activation(dtype: DType) {
    let (x, shared) = (
      Generator(seed: 1).normal([5, 61, 43]).to(dtype), Generator(seed: 2).normal([61, 43]).to(dtype)
    )
    expectSame(results { withGradients([x, shared]) { silu($0[0], plus: $0[1]) } })
    expectSame(results { withGradients([x, shared.selected(0, 0)]) { silu($0[0], plus: $0[1]) } })
  }

  @Test("rotary embedding gives the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func rotation(dtype: DType) {
    let x = Generator(seed: 1).normal([5, 37, 3, 22]).to(dtype)
    let angles = Generator(seed: 2).normal([37, 11])
    expectSame(results { withGradients([x]) { rotary($0[0], cosine: angles, sine: angles * 0.5) } })
  }

  @Test("the energy score gives the same bits on any number of threads", arguments: [1, 1.5])
  func energy(exponent: Double) {
    let (x, y) = (Generator(seed: 1).normal([4, 53, 19]), Generator(seed: 2).normal([7, 53, 19]))
    expectSame(results { withGradients([x]) { energyScoreKernel(samples: $0[0], targets: y, exponent: exponent) } })
    let (mean, deviation) = (y.selected(0, 0), y.selected(0, 1).exp())
    expectSame(
      results {
        withGradients([x]) {
          energyScoreKernel(
            samples: $0[0], mean: mean, deviation: deviation, count: 7, exponent: exponent,
            generator: Generator(seed: 3))
        }
      })
  }

  @Test(
    "AdamW and the gradient norm give the same bits on any number of threads", arguments: [DType.float32, .bfloat16])
  func optimizer(dtype: DType) {
    let (value, gradient) = (Generator(seed: 1).normal([301, 217]), Generator(seed: 2).normal([301, 217]).to(dtype))
    expectSame(
      results {
        let module = Weight(value.leaf(dtype))
        let optimizer = AdamW(module.namedParameters())
        var tensors: [Tensor] = []
        for step in 1...3 {
          module.weight.gradient = gradient
          tensors.append(Tensor([optimizer.gradientNorm()]))
          optimizer.update(learningRate: 0.1 / Double(step))
        }
        return tensors + [module.weight.detached()] + optimizer.masters.values
      })
  }
}

/// A module with one parameter.
final class Weight: Module {
  @Parameter("weight") var weight: Tensor

  init(_ weight: Tensor) { self.weight = weight }
}

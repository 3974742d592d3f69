import Testing
import Torch

@Suite("Networks of rows")
struct RowNetworkTests {
  /// Random layers, in float64 with the values that they have in bfloat16.
  private struct Layers {
    private let generator = Generator(seed: 7)

    func matrix(_ outputs: Int, _ inputs: Int) -> Tensor {
      generator.normal([outputs, inputs], deviation: 1 / Double(inputs).squareRoot()).to(.bfloat16)
    }

    func vector(_ size: Int, around mean: Double = 0) -> Tensor {
      (generator.normal([size], deviation: 0.3) + Tensor.full([size], mean)).to(.bfloat16)
    }

    func rows(_ shape: Int...) -> Tensor { generator.normal(shape).to(.bfloat16) }

    func linear(_ inputs: Int, _ outputs: Int, bias: Bool = false) -> Linear {
      let layer = Linear(inputs, outputs, bias: bias, generator: generator)
      layer.setTrainable(false)
      if bias { layer.bias = generator.normal([outputs], deviation: 0.3) }
      layer.convert(to: .bfloat16)
      return layer
    }
  }

  private func silu(_ x: Tensor) -> Tensor { x / ((-x).exp() + 1) }

  @Test("all steps agree with their formulas, whatever the number of rows", arguments: [9, 16, 17, 130, 333])
  func formulas(rows: Int) {
    let layers = Layers()
    let (enter, middle, gates, down) = (
      layers.matrix(96, 64), layers.linear(96, 64, bias: true), layers.linear(64, 128, bias: true),
      layers.matrix(96, 64)
    )
    let (bias, norm, shift, rms) = (
      layers.vector(96), layers.vector(96, around: 1), layers.vector(96), layers.vector(96, around: 1)
    )
    let (gate, up) = (layers.linear(96, 160), layers.linear(96, 160))
    let out = layers.matrix(32, 160)
    let network = RowNetwork([
      .linear(weight: enter, bias: bias), .layerNorm(weight: norm, bias: shift, epsilon: 1e-6), .keep,
      .linearSiLU(middle), .linearSwiGLU(gates), .linear(weight: down, bias: nil, plusKept: true),
      .rmsNorm(weight: rms, epsilon: 1e-6),
      .gated(gate: gate, up: up, activation: .silu), .linear(weight: out, bias: nil),
    ])
    let x = layers.rows(rows, 64)

    func wide(_ tensor: Tensor) -> Tensor { tensor.to(.float64) }
    func times(_ x: Tensor, _ weight: Tensor) -> Tensor { matmul(x, wide(weight).transposed()) }
    var e = times(wide(x), enter) + wide(bias)
    let centred = e - e.mean(-1, keepDimensions: true)
    e = centred / ((centred * centred).mean(-1, keepDimensions: true) + 1e-6).squareRoot() * wide(norm) + wide(shift)
    let kept = e
    e = times(silu(times(e, middle.weight) + wide(middle.bias!)), gates.weight) + wide(gates.bias!)
    let halves = e.split(2)
    e = times(silu(halves[0]) * halves[1], down) + kept
    e = e / ((e * e).mean(-1, keepDimensions: true) + 1e-6).squareRoot() * wide(rms)
    e = times(silu(times(e, gate.weight)) * times(e, up.weight), out)

    let fused = withoutGradients { network(x) }
    #expect(fused.dtype == .bfloat16)
    expectClose(fused, e, within: 2e-2)
    expectClose(withoutGradients { network.stepByStep(x) }, e, within: 2e-2)
  }

  @Test("a row is the same among many as among few")
  func independent() {
    let layers = Layers()
    let network = RowNetwork([
      .keep, .rmsNorm(weight: layers.vector(64, around: 1), epsilon: 1e-5),
      .gated(gate: layers.linear(64, 96), up: layers.linear(64, 96), activation: .silu),
      .linear(layers.linear(96, 64), plusKept: true),
    ])
    let x = layers.rows(300, 64)
    let all = withoutGradients { network(x) }
    for range in [0..<40, 100..<217] {
      #expect(withoutGradients { network(x.narrowed(0, range)) }.numbers == all.narrowed(0, range).numbers)
    }
  }

  @Test("a summand may come again for each sample", arguments: [1, 5, 48])
  func summands(positions: Int) {
    let layers = Layers()
    let (weight, summand) = (layers.matrix(64, 32), layers.rows(positions, 64))
    let x = layers.rows(4 + 90 / positions, positions, 32)
    let network = RowNetwork([.linear(weight: weight, bias: nil), .silu(plus: summand)])
    let exact = silu(matmul(x.to(.float64), weight.to(.float64).transposed()) + summand.to(.float64))
    expectClose(withoutGradients { network(x) }, exact, within: 1e-2)
  }

  @Test("sizes that no tile has, other types and other activations go step by step")
  func elsewhere() {
    let layers = Layers()
    let odd = RowNetwork([.linear(weight: layers.matrix(40, 24), bias: layers.vector(40))])
    let x = layers.rows(50, 24)
    withoutGradients { #expect(odd(x).numbers == odd.stepByStep(x).numbers) }
    let (gate, up) = (layers.linear(32, 64), layers.linear(32, 64))
    let other = RowNetwork([.gated(gate: gate, up: up, activation: .gelu)])
    let y = layers.rows(50, 32)
    withoutGradients { #expect(other(y).numbers == other.stepByStep(y).numbers) }
  }

  @Test("gradients reach the weights")
  func gradients() {
    let layers = Layers()
    let weight = layers.matrix(64, 32).leaf(.bfloat16)
    RowNetwork([.linear(weight: weight, bias: nil), .silu(plus: layers.vector(64))])(layers.rows(50, 32)).sum()
      .backward()
    #expect(weight.gradient?.numbers.contains { $0 != 0 } == true)
  }
}

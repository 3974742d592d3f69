import Testing
import Torch

@Suite("Row-wise networks")
struct RowwiseTests {
  /// Random layers without gradients.
  private struct Layers {
    let dtype: DType
    private let generator = Generator(seed: 7)

    init(_ dtype: DType = .bfloat16) { self.dtype = dtype }

    func vector(_ size: Int, around mean: Double = 0) -> Tensor {
      (generator.normal([size], deviation: 0.3) + Tensor.full([size], mean)).to(dtype)
    }

    func rows(_ shape: Int...) -> Tensor { generator.normal(shape).to(dtype) }

    func linear(_ inputs: Int, _ outputs: Int, bias: Bool = false) -> Linear {
      let layer = Linear(inputs, outputs, bias: bias, generator: generator)
      layer.setTrainable(false)
      if bias { layer.bias = generator.normal([outputs], deviation: 0.3) }
      layer.convert(to: dtype)
      return layer
    }

    func rmsNorm(_ size: Int) -> RMSNorm {
      let norm = RMSNorm(size)
      norm.weight = vector(size, around: 1)
      return norm
    }

    func layerNorm(_ size: Int) -> LayerNorm {
      let norm = LayerNorm(size)
      (norm.weight, norm.bias) = (vector(size, around: 1), vector(size))
      return norm
    }
  }

  private static let dtypes: [DType] = [.bfloat16, .float32]

  /// The formulas of a network in float64, evaluated on the values of weights and rows.
  private enum Exact {
    static func linear(_ x: Tensor, _ layer: Linear) -> Tensor {
      let y = matmul(x, layer.weight.to(.float64).transposed())
      return layer.bias.map { y + $0.to(.float64) } ?? y
    }

    static func silu(_ x: Tensor) -> Tensor { x / ((-x).exp() + 1) }

    static func rmsNorm(_ x: Tensor, _ norm: RMSNorm) -> Tensor {
      x / ((x * x).mean(-1, keepDimensions: true) + norm.epsilon).squareRoot() * norm.weight.to(.float64)
    }

    static func layerNorm(_ x: Tensor, _ norm: LayerNorm) -> Tensor {
      let centered = x - x.mean(-1, keepDimensions: true)
      return centered / ((centered * centered).mean(-1, keepDimensions: true) + norm.epsilon).squareRoot()
        * norm.weight.to(.float64) + norm.bias.to(.float64)
    }
  }

  @Test(
    "a row-wise network of all operations agrees with its formulas, fused and operation by operation",
    arguments: [1, 9, 16, 17, 130, 333], Self.dtypes)
  func formulas(count: Int, dtype: DType) {
    let layers = Layers(dtype)
    let tolerance = dtype == .bfloat16 ? 2e-2 : 1e-5
    let (enter, middle, gates, down) = (
      layers.linear(64, 96, bias: true), layers.linear(96, 64, bias: true), layers.linear(64, 128, bias: true),
      layers.linear(64, 96)
    )
    let (first, second) = (layers.layerNorm(96), layers.rmsNorm(96))
    let (gate, up, out) = (layers.linear(96, 160), layers.linear(96, 160), layers.linear(160, 32))
    func network(_ x: Rows) -> Rows {
      let e = first(enter(x))
      let halves = gates(silu(middle(e))).halves()
      let h = second(e + down(silu(halves.first) * halves.second))
      return out(silu(gate(h)) * up(h))
    }

    let x = layers.rows(count, 64)
    let e = Exact.layerNorm(Exact.linear(x.to(.float64), enter), first)
    let halves = Exact.linear(Exact.silu(Exact.linear(e, middle)), gates).split(2)
    let h = Exact.rmsNorm(e + Exact.linear(Exact.silu(halves[0]) * halves[1], down), second)
    let exact = Exact.linear(Exact.silu(Exact.linear(h, gate)) * Exact.linear(h, up), out)

    withoutGradients {
      let fused = rowwise(x, network)
      #expect(fused.dtype == dtype)
      expectClose(fused, exact, within: tolerance)
      expectClose(rowwise(x, fusing: .neighbors, network), exact, within: tolerance)
      let packed = PackedRowWeights()
      for _ in 0..<2 { expectClose(rowwise(x, packed: packed, network), exact, within: tolerance) }
      keepingRowsApart { expectClose(rowwise(x, packed: packed, network), exact, within: tolerance) }
    }
    #expect(
      RowPlan(network).kernelDescription == [
        "linear with bias", "layer norm", "keep", "linear", "SiLU of sum", "linear", "SwiGLU of halves",
        "linear + kept", "RMS norm", "SwiGLU of layers", "linear",
      ])
  }

  @Test("a row-wise network computes the same result for a row among many rows as among few", arguments: Self.dtypes)
  func independent(dtype: DType) {
    let layers = Layers(dtype)
    let (norm, gate, up, down) = (
      layers.rmsNorm(64), layers.linear(64, 96), layers.linear(64, 96), layers.linear(96, 64)
    )
    func network(_ x: Rows) -> Rows {
      let y = norm(x)
      return x + down(silu(gate(y)) * up(y))
    }
    let x = layers.rows(300, 64)
    let all = withoutGradients { rowwise(x, network) }
    for range in [0..<40, 100..<217] {
      #expect(withoutGradients { rowwise(x.narrowed(0, range), network) }.numbers == all.narrowed(0, range).numbers)
    }
    let packed = PackedRowWeights()
    func apart(_ rows: Tensor) -> [Double] {
      withoutGradients { keepingRowsApart { rowwise(rows, packed: packed, network) } }.numbers
    }
    let width = x.shape[1]
    for range in [0..<1, 7..<16, 60..<70, 100..<217] {
      #expect(apart(x.narrowed(0, range)) == Array(apart(x)[range.lowerBound * width..<range.upperBound * width]))
    }
  }

  @Test("packed weights follow the weights of a row-wise network")
  func packedWeights() {
    let layers = Layers(.float32)
    let (layer, x, packed) = (layers.linear(32, 64, bias: true), layers.rows(5, 32), PackedRowWeights())
    withoutGradients {
      expectClose(rowwise(x, packed: packed) { layer($0) }, layer(x), within: 1e-5)
      layer.weight.copy(from: layers.linear(32, 64).weight)
      expectClose(rowwise(x, packed: packed) { layer($0) }, layer(x), within: 1e-5)
      layer.weight = layers.linear(32, 64).weight
      expectClose(rowwise(x, packed: packed) { layer($0) }, layer(x), within: 1e-5)
    }
  }

  @Test("a row-wise network adds a shared tensor to each sample", arguments: [1, 5, 48], Self.dtypes)
  func shared(positions: Int, dtype: DType) {
    let layers = Layers(dtype)
    let tolerance = dtype == .bfloat16 ? 1e-2 : 1e-5
    let (layer, shared) = (layers.linear(32, 64), layers.rows(positions, 64))
    let x = layers.rows(4 + 90 / positions, positions, 32)
    let exact = Exact.linear(x.to(.float64), layer) + shared.to(.float64)
    withoutGradients {
      expectClose(rowwise(x) { silu(layer($0) + shared) }, Exact.silu(exact), within: tolerance)
      expectClose(
        rowwise(x, packed: PackedRowWeights()) { silu(layer($0) + shared) }, Exact.silu(exact), within: tolerance)
      expectClose(rowwise(x) { layer($0) + shared }, exact, within: tolerance)
    }
  }

  @Test("a row-wise network that the kernel cannot express runs operation by operation")
  func unsupported() {
    let generator = Generator(seed: 8)
    let (a, b) = (Linear(32, 32, generator: generator), Linear(32, 32, bias: false, generator: generator))
    let (c, norm) = (Linear(32, 64, generator: generator), RMSNorm(32))
    withoutGradients {
      for layer in [a, c] { layer.bias?.copy(from: generator.normal([layer.weight.shape[0]])) }
    }
    let networks: [(name: String, recorded: (Rows) -> Rows, direct: (Tensor) -> Tensor)] = [
      ("a sum of two layers", { a($0) + b($0) }, { a($0) + b($0) }),
      ("a value plus itself", { x in a(x) + x + x }, { x in a(x) + x + x }),
      ("a residual on the right", { x in a(norm(x)) + norm(x) }, { x in a(norm(x)) + norm(x) }),
      ("a layer read twice", { silu(a($0).twice) }, { x in silu(a(x) + a(x)) }),
      ("a layer that is its own residual's input", { x in b(norm(x)) * x + x }, { x in b(norm(x)) * x + x }),
      (
        "two residuals at once", { x in x + b(norm(x).plus { a(norm($0)) }) },
        { x in x + b(norm(x) + a(norm(norm(x)))) }
      ),
      ("another activation", { Activation.gelu(a($0)) * b($0) }, { Activation.gelu(a($0)) * b($0) }),
      ("gates with biases", { silu(a($0)) * a($0) }, { silu(a($0)) * a($0) }),
      (
        "halves in swapped roles", { x in swapped(c(x).halves()) },
        { x in silu(c(x).split(2)[1]) * c(x).split(2)[0] }
      ),
      ("SiLU alone", { silu(norm($0)) }, { silu(norm($0)) }),
      ("one half", { c($0).halves().second }, { c($0).split(2)[1] }),
    ]
    let x = generator.normal([50, 32])
    for (name, recorded, direct) in networks {
      expectClose(rowwise(x, recorded), direct(x), within: 1e-5, name)
      #expect(RowPlan(recorded).kernelDescription == nil, "\(name)")
    }
    expectClose(rowwise(x) { $0 }, x, within: 0)
  }

  @Test("a row-wise network with sizes that the kernel does not support runs operation by operation")
  func oddSizes() {
    let layers = Layers()
    let (layer, x) = (layers.linear(24, 40, bias: true), layers.rows(50, 24))
    withoutGradients { #expect(rowwise(x) { layer($0) }.numbers == layer(x).numbers) }
  }

  @Test("a row-wise network propagates gradients to every weight and to its rows")
  func gradients() {
    let layers = Layers()
    let (norm, layer) = (layers.rmsNorm(32), layers.linear(32, 32, bias: true))
    for module in [norm, layer] as [any Module] { module.setTrainable(true) }
    let (x, shared) = (layers.rows(50, 32).leaf(.bfloat16), layers.vector(32).leaf(.bfloat16))
    rowwise(x) { $0 + layer(silu(layer(norm($0)) + shared)) }.sum().backward()
    for tensor in [x, shared, norm.weight, layer.weight] + [layer.bias].compactMap(\.self) {
      #expect(tensor.gradient?.numbers.contains { $0 != 0 } == true)
    }
  }
}

extension Rows {
  fileprivate var twice: Rows { self + self }

  fileprivate func plus(_ branch: (Rows) -> Rows) -> Rows { self + branch(self) }
}

private func swapped(_ halves: (first: Rows, second: Rows)) -> Rows { silu(halves.second) * halves.first }

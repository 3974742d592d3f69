import Testing
import Torch

@Suite("Fused decode layer")
struct FusedDecodeLayerTests {
  private static let (hidden, inner, size) = (24, 40, 8)

  /// A layer with the given number of query heads, and the keys and values of earlier positions.
  private struct Layer {
    let step: FusedDecodeLayer
    let keys: Tensor
    let values: Tensor
    let angles: (cosine: Tensor, sine: Tensor)

    init(rows: Int, heads: Int, keyHeads: Int, room: Int, dtype: DType) {
      let generator = Generator(seed: 3)
      func normal(_ shape: Int..., around mean: Double = 0) -> Tensor {
        (generator.normal(shape, deviation: 0.3) + mean).to(dtype)
      }
      step = FusedDecodeLayer(
        attentionNorm: normal(hidden, around: 1), query: normal(heads * size, hidden),
        key: normal(keyHeads * size, hidden), value: normal(keyHeads * size, hidden),
        output: normal(hidden, heads * size), mlpNorm: normal(hidden, around: 1), gate: normal(inner, hidden),
        up: normal(inner, hidden), down: normal(hidden, inner), epsilon: 1e-5)
      (keys, values) = (normal(rows, keyHeads, room, size), normal(rows, keyHeads, room, size))
      let angle = generator.uniform([1, size / 2], in: 0..<6.2)
      // cos² + sin² need not be 1 here, because the formula is linear in both.
      angles = (angle, angle * 0.5 - 1.0)
    }

    func cache(_ length: Int) -> FusedDecodeLayer.Cache { .init(keys: keys, values: values, length: length) }
  }

  /// The formulas of the layer in float64, [rows, h].
  private func reference(_ layer: Layer, _ x: Tensor, length: Int, heads: Int) -> Tensor {
    let (step, size) = (layer.step, Self.size)
    func wide(_ tensor: Tensor) -> Tensor { tensor.to(.float64) }
    func norm(_ x: Tensor, _ weight: Tensor) -> Tensor {
      x / ((x * x).mean(-1, keepDimensions: true) + step.epsilon).squareRoot() * wide(weight)
    }
    func times(_ x: Tensor, _ weight: Tensor) -> Tensor { matmul(x, wide(weight).transposed()) }
    func turned(_ x: Tensor) -> Tensor {
      let (a, b) = (x.split(2)[0], x.split(2)[1])
      let (cosine, sine) = (wide(layer.angles.cosine), wide(layer.angles.sine))
      return Tensor.concatenated([a * cosine - b * sine, b * cosine + a * sine], along: -1)
    }
    let n = norm(wide(x), step.attentionNorm)
    let keyHeads = layer.keys.shape[1]
    let rows = (0..<x.shape[0]).map { row -> Tensor in
      let own = n.narrowed(0, row..<row + 1)
      let parts = (0..<heads).map { head -> Tensor in
        let keyHead = head / (heads / keyHeads)
        func part(_ weight: Tensor, _ head: Int) -> Tensor {
          times(own, weight.narrowed(0, head * size..<(head + 1) * size))
        }
        func before(_ room: Tensor) -> Tensor {
          wide(room.selected(0, row).selected(0, keyHead).narrowed(0, 0..<length))
        }
        let keys = Tensor.concatenated([before(layer.keys), turned(part(step.key, keyHead))], along: 0)
        let values = Tensor.concatenated([before(layer.values), part(step.value, keyHead)], along: 0)
        let scores = matmul(turned(part(step.query, head)), keys.transposed()) / Double(size).squareRoot()
        return matmul(softmax(scores), values)
      }
      return Tensor.concatenated(parts, along: -1)
    }
    let attended = wide(x) + times(Tensor.concatenated(rows, along: 0), step.output)
    let m = norm(attended, step.mlpNorm)
    let gate = times(m, step.gate)
    return attended + times(gate / ((-gate).exp() + 1) * times(m, step.up), step.down)
  }

  @Test(
    "a fused decode layer agrees with its formulas, and writes the new keys and values into the caches",
    arguments: [1, 3, 8],
    [(heads: 4, keyHeads: 4), (heads: 4, keyHeads: 2)])
  func formula(rows: Int, heads: (heads: Int, keyHeads: Int)) {
    for (dtype, tolerance) in [(DType.float32, 1e-5), (.bfloat16, 2e-2)] {
      for length in [0, 5] {
        let layer = Layer(rows: rows, heads: heads.heads, keyHeads: heads.keyHeads, room: 7, dtype: dtype)
        let x = Generator(seed: 4).normal([rows, Self.hidden]).to(dtype)
        let expected = reference(layer, x, length: length, heads: heads.heads)
        let old = layer.keys.clone()
        let y = withoutGradients {
          layer.step(x, caches: [layer.cache(length)], angles: layer.angles)
        }
        expectClose(y, expected, within: tolerance)
        let changed = (layer.keys.to(.float64) - old.to(.float64)).magnitude().sum(0, 1, 3).numbers
        #expect(changed.enumerated().allSatisfy { ($0.offset == length) == ($0.element > 0) })
      }
    }
  }

  @Test("sequences with caches of their own get the bits that each gets alone, next to three others of its length")
  func separateCaches() {
    for dtype in [DType.float32, .bfloat16] {
      let lengths = [3, 0, 6, 1, 5, 2, 4, 6]
      let rows = lengths.count
      let layer = Layer(rows: rows, heads: 4, keyHeads: 2, room: 7, dtype: dtype)
      let x = Generator(seed: 4).normal([rows, Self.hidden]).to(dtype)
      let angles = Generator(seed: 5).uniform([rows, Self.size / 2], in: -1..<1)
      func own(_ row: Int, copies: Int) -> FusedDecodeLayer.Cache {
        func part(_ tensor: Tensor) -> Tensor {
          .concatenated(Array(repeating: tensor.narrowed(0, row..<row + 1), count: copies))
        }
        return .init(keys: part(layer.keys), values: part(layer.values), length: lengths[row])
      }
      withoutGradients {
        let caches = (0..<rows).map { own($0, copies: 1) }
        let together = layer.step(x, caches: caches, angles: (angles, angles * 0.5))
        for row in 0..<rows {
          let (alone, angle) = (own(row, copies: 4), angles.narrowed(0, row..<row + 1))
          let copies = x.narrowed(0, row..<row + 1).expanded(4, Self.hidden).contiguous()
          let y = layer.step(copies, caches: [alone], angles: (angle, angle * 0.5))
          for copy in 0..<4 {
            #expect(y.selected(0, copy).rawBytes == together.selected(0, row).rawBytes)
            #expect(alone.keys.selected(0, copy).rawBytes == caches[row].keys.selected(0, 0).rawBytes)
            #expect(alone.values.selected(0, copy).rawBytes == caches[row].values.selected(0, 0).rawBytes)
          }
        }
      }
    }
  }
}

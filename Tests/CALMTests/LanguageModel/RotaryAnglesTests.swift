import CALM
import Foundation
import Testing
import Torch

@Suite("Rotary positions")
struct RotaryAnglesTests {
  private static let headSize = 8

  /// A query and a key turned to two positions, and their product.
  private func product(
    of query: Tensor, at first: Int, and key: Tensor, at second: Int, _ angles: RotaryAngles
  ) -> Double {
    func turned(_ x: Tensor, to position: Int) -> Tensor {
      let (cosine, sine) = angles(from: position, count: 1, device: .cpu)
      return rotary(x, cosine: cosine, sine: sine)
    }
    return (turned(query, to: first) * turned(key, to: second)).sum().item()
  }

  @Test("the product of a query and a key depends on their distance alone", arguments: [0, 1, 7, 300])
  func relative(shift: Int) {
    let angles = RotaryAngles(headSize: Self.headSize, theta: 10_000)
    let query = Generator(seed: 51).normal([1, 1, 1, Self.headSize])
    let key = Generator(seed: 52).normal([1, 1, 1, Self.headSize])
    let near = product(of: query, at: 5, and: key, at: 2, angles)
    #expect(abs(product(of: query, at: 5 + shift, and: key, at: 2 + shift, angles) - near) < 1e-4)
    #expect(abs(product(of: query, at: 6, and: key, at: 2, angles) - near) > 1e-3)
  }

  @Test("position p turns pair i by p·θ^(−2i/d), also where the table had to grow", arguments: [10_000.0, 500_000])
  func angles(theta: Double) {
    let angles = RotaryAngles(headSize: Self.headSize, theta: theta)
    for (start, count) in [(0, 3), (3, 1), (250, 20), (5000, 2)] {
      let (cosine, sine) = angles(from: start, count: count, device: .cpu)
      #expect(cosine.shape == [count, Self.headSize / 2])
      let (cosines, sines) = (cosine.elements(as: Double.self), sine.elements(as: Double.self))
      for index in 0..<count {
        for pair in 0..<Self.headSize / 2 {
          let angle = Double(start + index) * pow(theta, -2 * Double(pair) / Double(Self.headSize))
          let place = index * Self.headSize / 2 + pair
          // The angles are float32: at position 5000 they are known to some 3e-4.
          #expect(abs(cosines[place] - cos(angle)) < 1e-3)
          #expect(abs(sines[place] - sin(angle)) < 1e-3)
        }
      }
    }
  }
}

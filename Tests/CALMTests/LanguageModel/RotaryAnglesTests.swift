import CALM
import Foundation
import Testing
import Torch

@Suite("Rotary positions")
struct RotaryAnglesTests {
  private static let headSize = 8

  /// The product of a query and a key rotated to two positions.
  private func product(
    of query: Tensor, at first: Int, and key: Tensor, at second: Int, _ angles: RotaryAngles
  ) -> Double {
    func turned(_ x: Tensor, to position: Int) -> Tensor {
      let (cosine, sine) = angles(from: position, count: 1, device: .cpu)
      return rotary(x, cosine: cosine, sine: sine)
    }
    return (turned(query, to: first) * turned(key, to: second)).sum().item()
  }

  @Test("the product of a rotated query and key depends only on their distance", arguments: [0, 1, 7, 300])
  func relative(shift: Int) {
    let angles = RotaryAngles(headSize: Self.headSize, theta: 10_000)
    let query = Generator(seed: 51).normal([1, 1, 1, Self.headSize])
    let key = Generator(seed: 52).normal([1, 1, 1, Self.headSize])
    let near = product(of: query, at: 5, and: key, at: 2, angles)
    #expect(abs(product(of: query, at: 5 + shift, and: key, at: 2 + shift, angles) - near) < 1e-4)
    #expect(abs(product(of: query, at: 6, and: key, at: 2, angles) - near) > 1e-3)
  }

  @Test("position p rotates pair i by p·θ^(−2i/d), even after the table has grown", arguments: [10_000.0, 500_000])
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
          // The angles are float32, so at position 5000 they are accurate to about 3e-4.
          #expect(abs(cosines[place] - cos(angle)) < 1e-3)
          #expect(abs(sines[place] - sin(angle)) < 1e-3)
        }
      }
    }
  }

  @Test("frequencies scaled for Llama 3.1 equal those of Hugging Face transformers 4.46")
  func llama3() throws {
    // LlamaConfig(hidden_size=64, num_attention_heads=2, rope_theta=500000, rope_scaling={"rope_type": "llama3", …})
    let frequencies: [Float] = [
      1.0, 0.44036662578582764, 0.07940301299095154, 0.010674637742340565, 0.004700753837823868, 0.0020700551103800535,
      0.0009115831344388425, 0.00040143076330423355, 0.00017677668074611574, 7.784655463183299e-05,
      3.428102354519069e-05, 1.5096217794052791e-05, 6.647869668086059e-06, 2.927499735960737e-06,
      1.289173155782919e-06, 5.677088097399974e-07,
    ]
    let json =
      #"{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "#
      + #""original_max_position_embeddings": 64}"#
    let scaling = try JSONDecoder().decode(RopeScaling.self, from: Data(json.utf8))
    #expect(try JSONDecoder().decode(RopeScaling.self, from: JSONEncoder().encode(scaling)) == scaling)
    let angles = RotaryAngles(headSize: 32, theta: 500_000, scaling: scaling)
    let sine = angles(from: 1, count: 1, device: .cpu).sine.elements(as: Float.self)
    #expect(sine.count == frequencies.count)
    for (found, frequency) in zip(sine, frequencies) { #expect(abs(found - sinf(frequency)) <= 1e-5 * sinf(frequency)) }
  }
}

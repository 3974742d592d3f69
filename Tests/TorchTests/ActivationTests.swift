import Testing
import Torch

@Suite("Activations")
struct ActivationTests {
  private static let points: [Float] = [-3, -0.5, 0, 0.7, 12]

  /// The values that transformers 4.46.3 computes at the points for each name in its `ACT2FN`.
  private static let recorded: [(name: String, values: [Double])] = [
    ("gelu", [-0.0040502, -0.1542688, 0, 0.5306255, 12]),
    ("gelu_10", [-0.0040502, -0.1542688, 0, 0.5306255, 10]),
    ("gelu_accurate", [-0.0036374, -0.154286, 0, 0.5305701, 12]),
    ("gelu_fast", [-0.0036374, -0.154286, 0, 0.5305701, 12]),
    ("gelu_new", [-0.0036374, -0.154286, 0, 0.5305701, 12]),
    ("gelu_python", [-0.0040497, -0.1542688, 0, 0.5306255, 12]),
    ("gelu_pytorch_tanh", [-0.0036374, -0.154286, 0, 0.5305701, 12]),
    ("laplace", [0, 9.4e-06, 0.0060945, 0.4899502, 1]),
    ("leaky_relu", [-0.03, -0.005, 0, 0.7, 12]),
    ("linear", [-3, -0.5, 0, 0.7, 12]),
    ("mish", [-0.1456475, -0.2207438, 0, 0.5611483, 12]),
    ("quick_gelu", [-0.0180713, -0.1496116, 0, 0.536894, 12]),
    ("relu", [0, 0, 0, 0.7, 12]),
    ("relu2", [0, 0, 0, 0.49, 144]),
    ("relu6", [0, 0, 0, 0.7, 6]),
    ("sigmoid", [0.0474259, 0.3775407, 0.5, 0.6681877, 0.9999938]),
    ("silu", [-0.1422776, -0.1887703, 0, 0.4677314, 11.9999256]),
    ("swish", [-0.1422776, -0.1887703, 0, 0.4677314, 11.9999256]),
    ("tanh", [-0.9950548, -0.4621172, 0, 0.6043678, 1]),
  ]

  @Test("activations have exactly the names and values of transformers' ACT2FN")
  func values() throws {
    #expect(Set(Activation.allCases.map(\.rawValue)) == Set(Self.recorded.map(\.name)))
    for (name, values) in Self.recorded {
      let activation = try #require(Activation(rawValue: name))
      let found = activation(Tensor(Self.points)).elements(as: Double.self)
      #expect(found.count == values.count)
      for (one, other) in zip(found, values) { #expect(abs(one - other) < 2e-6, "\(name): \(found)") }
    }
  }

  @Test(
    "a gated activation equals the product of activation and factor, with gradients for both inputs",
    arguments: Activation.allCases)
  func gated(_ activation: Activation) {
    let gate = Generator(seed: 1).normal([3, 8])
    let up = Generator(seed: 2).normal([3, 8])
    gate.requiresGradient = true
    up.requiresGradient = true
    let product = activation(gate: gate, up: up)
    #expect((product - activation(gate) * up).magnitude().elements(as: Double.self).allSatisfy { $0 < 1e-6 })
    product.sum().backward()
    #expect(gate.gradient?.allFinite() == true && up.gradient?.allFinite() == true)
  }
}

import CALMSupport
import CTorch

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
///
/// Parameters may be bfloat16: the optimizer then keeps a float32 master of each, moves that, and rounds it into the
/// parameter. Matrices decay, vectors (biases, norm weights) do not.
public final class AdamW: Optimizer {
  /// What does not change from step to step.
  public struct Settings: Codable, Sendable, Hashable {
    /// β₁, of the gradient's running mean.
    public var beta1 = 0.9
    /// β₂, of the squared gradient's running mean.
    public var beta2 = 0.95
    /// Added to the root of the latter.
    public var epsilon = 1e-8
    /// The share of a matrix that a step takes away, times the learning rate.
    public var weightDecay = 0.1

    /// The usual settings of language models.
    public init(beta1: Double = 0.9, beta2: Double = 0.95, epsilon: Double = 1e-8, weightDecay: Double = 0.1) {
      (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
    }
  }

  private struct Slot {
    let name: String
    let parameter: Tensor
    let master: Tensor?
    let firstMoment: Tensor
    let secondMoment: Tensor
    let decays: Bool

    init(_ name: String, _ tensor: Tensor, master: Tensor?, decays: Bool) {
      (self.name, parameter, self.decays) = (name, tensor, decays)
      let device = tensor.device
      let rounded = tensor.dtype != .float32
      self.master = rounded ? (master ?? tensor.detached()).to(.float32, device: device).clone() : nil
      firstMoment = .zeros(tensor.shape, device: device)
      secondMoment = .zeros(tensor.shape, device: device)
    }
  }

  /// β₁, β₂, ε and the weight decay.
  public let settings: Settings
  /// The number of steps taken.
  public private(set) var step = 0
  private let slots: [Slot]

  /// - Parameters:
  ///   - parameters: those to train, in the type in which the model computes.
  ///   - masters: float32 values that bfloat16 parameters were rounded from, by name; the rounded values where missing.
  public init(_ parameters: [NamedParameter], masters: [String: Tensor] = [:], settings: Settings = Settings()) {
    self.settings = settings
    slots = withoutGradients {
      parameters.filter { $0.tensor.requiresGradient }.map { parameter in
        Slot(parameter.name, parameter.tensor, master: masters[parameter.name], decays: parameter.tensor.rank >= 2)
      }
    }
  }

  /// For what is trained in parts: tensors of any shape, each with a name, the float32 values where they are rounded,
  /// and whether it decays.
  init(parts: [(name: String, tensor: Tensor, master: Tensor?, decays: Bool)], settings: Settings) {
    self.settings = settings
    slots = withoutGradients { parts.map { Slot($0.name, $0.tensor, master: $0.master, decays: $0.decays) } }
  }

  /// The Euclidean norm of all gradients together.
  public func gradientNorm() -> Double {
    globalNorm(slots.compactMap { $0.parameter.gradient })
  }

  /// Takes a step down the gradients, each multiplied by `gradientScale` (for clipping), and forgets them.
  public func update(learningRate: Double, gradientScale: Double = 1) {
    step += 1
    var held: [Tensor] = []
    var list: [ct_adamw_slot] = []
    for slot in slots {
      guard let gradient = slot.parameter.gradient else { continue }
      held.append(gradient)
      list.append(
        ct_adamw_slot(
          parameter: slot.parameter.handle, gradient: gradient.handle, master: slot.master?.handle,
          first_moment: slot.firstMoment.handle, second_moment: slot.secondMoment.handle,
          weight_decay: slot.decays ? settings.weightDecay : 0))
    }
    withExtendedLifetime(held) {
      check(
        ct_adamw(
          list, Int32(list.count), learningRate, settings.beta1, settings.beta2, settings.epsilon, Int64(step),
          gradientScale))
    }
    clearGradients()
  }

  /// Forgets the gradients without a step.
  public func clearGradients() {
    for slot in slots { slot.parameter.gradient = nil }
  }

  /// The float32 values of the trained parameters by name: what a checkpoint of the model holds.
  public var masters: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: slots.map { ($0.name, ($0.master ?? $0.parameter).detached()) })
  }

  /// What is put behind a parameter's name to name its running means.
  static let momentSuffixes = [".first_moment", ".second_moment"]

  /// The running means by name, for a checkpoint of the run.
  public var moments: [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for slot in slots {
      for (suffix, tensor) in zip(Self.momentSuffixes, [slot.firstMoment, slot.secondMoment]) {
        tensors[slot.name + suffix] = tensor
      }
    }
    return tensors
  }

  /// Goes on from stored running means and a step count. Masters are given to the initializer.
  ///
  /// - Throws: ``OptimizerError`` where a tensor is missing or has another shape.
  public func restore(moments: [String: Tensor], step: Int) throws(OptimizerError) {
    for slot in slots {
      for (suffix, target) in zip(Self.momentSuffixes, [slot.firstMoment, slot.secondMoment]) {
        guard let source = moments[slot.name + suffix] else { throw .missing(slot.name + suffix) }
        guard source.shape == target.shape else {
          throw .shape(slot.name + suffix, found: source.shape, expected: target.shape)
        }
        target.copy(from: source)
      }
    }
    self.step = step
  }
}

/// The Euclidean norm of all the tensors together.
func globalNorm(_ tensors: [Tensor]) -> Double {
  var norm = 0.0
  withExtendedLifetime(tensors) {
    check(ct_global_norm(&norm, tensors.map { Optional($0.handle) }, Int32(tensors.count)))
  }
  return norm
}

/// An optimizer state that does not belong to the model.
public enum OptimizerError: DescribedError, Equatable {
  /// There is no running mean of that name.
  case missing(String)
  /// A running mean of another shape than the parameter that it is of.
  case shape(String, found: [Int], expected: [Int])

  /// One line: the tensor and what is wrong with it.
  public var description: String {
    switch self {
    case .missing(let name): "the optimizer state lacks '\(name)'"
    case .shape(let name, let found, let expected):
      "the optimizer state '\(name)' has shape \(found), but the model needs \(expected)"
    }
  }
}

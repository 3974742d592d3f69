import CALMSupport
import CTorch

/// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
///
/// For bfloat16 parameters the optimizer keeps float32 masters, updates those, and rounds them into the parameters.
/// Weight decay applies to matrices, but not to vectors (biases and norm weights).
public final class AdamW: Optimizer {
  /// The hyperparameters that are the same in every step.
  public struct Settings: Codable, Sendable, Hashable {
    /// β₁, the decay of the gradient's moving average.
    public var beta1 = 0.9
    /// β₂, the decay of the squared gradient's moving average.
    public var beta2 = 0.95
    /// ε, added to the square root of the second moment.
    public var epsilon = 1e-8
    /// The weight decay, which each step multiplies by the learning rate.
    public var weightDecay = 0.1

    /// Creates settings; the defaults are typical for language models.
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

  /// The hyperparameters.
  public let settings: Settings
  /// The number of steps taken.
  public private(set) var step = 0
  private let slots: [Slot]

  /// - Parameters:
  ///   - parameters: the parameters to train; those that do not require gradients are skipped.
  ///   - masters: the float32 values of bfloat16 parameters by name. A missing one starts from the rounded value.
  ///   - settings: the hyperparameters.
  public init(_ parameters: [NamedParameter], masters: [String: Tensor] = [:], settings: Settings = Settings()) {
    self.settings = settings
    slots = withoutGradients {
      parameters.filter { $0.tensor.requiresGradient }.map { parameter in
        Slot(parameter.name, parameter.tensor, master: masters[parameter.name], decays: parameter.tensor.rank >= 2)
      }
    }
  }

  /// Creates an optimizer for slices of parameters, each with a name, an optional float32 master, and whether it
  /// decays.
  init(parts: [(name: String, tensor: Tensor, master: Tensor?, decays: Bool)], settings: Settings) {
    self.settings = settings
    slots = withoutGradients { parts.map { Slot($0.name, $0.tensor, master: $0.master, decays: $0.decays) } }
  }

  /// The Euclidean norm of all gradients.
  public func gradientNorm() -> Double {
    globalNorm(slots.compactMap { $0.parameter.gradient })
  }

  /// Takes a step with the gradients, scaled by `gradientScale` for clipping, and clears them.
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

  /// Clears the gradients without a step.
  public func clearGradients() {
    for slot in slots { slot.parameter.gradient = nil }
  }

  /// The float32 values of the trained parameters by name, for a checkpoint of the model.
  public var masters: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: slots.map { ($0.name, ($0.master ?? $0.parameter).detached()) })
  }

  /// The suffixes that form the names of a parameter's moments.
  static let momentSuffixes = [".first_moment", ".second_moment"]

  /// The first and second moments by name, for a checkpoint of the run.
  public var moments: [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for slot in slots {
      for (suffix, tensor) in zip(Self.momentSuffixes, [slot.firstMoment, slot.secondMoment]) {
        tensors[slot.name + suffix] = tensor
      }
    }
    return tensors
  }

  /// Restores the moments and the step count. Masters are passed to the initializer.
  ///
  /// - Throws: ``OptimizerError`` if a tensor is missing or has the wrong shape.
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

/// The Euclidean norm over all tensors.
func globalNorm(_ tensors: [Tensor]) -> Double {
  var norm = 0.0
  withExtendedLifetime(tensors) {
    check(ct_global_norm(&norm, tensors.map { Optional($0.handle) }, Int32(tensors.count)))
  }
  return norm
}

/// A mismatch between an optimizer state and the model.
public enum OptimizerError: DescribedError, Equatable {
  /// A moment is missing.
  case missing(String)
  /// A moment has a different shape than its parameter.
  case shape(String, found: [Int], expected: [Int])

  /// One line: the tensor and the fault.
  public var description: String {
    switch self {
    case .missing(let name): "the optimizer state lacks '\(name)'"
    case .shape(let name, let found, let expected):
      "the optimizer state '\(name)' has shape \(found), but the model needs \(expected)"
    }
  }
}

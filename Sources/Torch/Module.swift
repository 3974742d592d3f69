/// A part of a network: parameters and smaller modules, each under the name it has in a checkpoint.
///
/// Properties declare those names where they stand, so a model reads like its figure and its checkpoint at once:
///
/// ```swift
/// final class GatedMLP: Module {
///   @Submodule("gate_proj") var gate: Linear
///   @Submodule("down_proj") var down: Linear
///   …
/// }
/// ```
public protocol Module: AnyObject {}

/// What stands behind a declared property of a module: its name, and a value once the module's initializer has set it.
public class ModuleProperty<Value> {
  /// Its part of the names in a checkpoint.
  public let key: String
  private var held: Value?

  /// A property under its name in a checkpoint, to be set by the module's initializer.
  public init(_ key: String) {
    self.key = key
  }

  fileprivate final var value: Value {
    get {
      guard let held else { fatalError("'\(key)' was never set by the initializer of its module") }
      return held
    }
    set { held = newValue }
  }
}

/// A tensor that training changes; `Value` is `Tensor` or, for what a module may lack, `Tensor?`.
///
/// The initializer of a module sets its plain properties first, then its parameters and submodules.
@propertyWrapper
public final class Parameter<Value>: ModuleProperty<Value> {
  /// The tensor.
  public var wrappedValue: Value {
    get { value }
    set { value = newValue }
  }
}

/// A module inside a module, or an array of them, which are numbered: `layers.0`, `layers.1`, ….
@propertyWrapper
public final class Submodule<Value>: ModuleProperty<Value> {
  /// The module or modules.
  public var wrappedValue: Value {
    get { value }
    set { value = newValue }
  }
}

/// A parameter with its whole name, and the place that holds it.
public struct NamedParameter {
  /// The name in a checkpoint, for example `transformer.layers.0.mlp.up_proj.weight`.
  public let name: String
  fileprivate let slot: any ParameterSlot

  /// The tensor. Setting it puts another in its place, for example one of another type.
  public var tensor: Tensor {
    get {
      guard let tensor = slot.tensor else { fatalError("\(name) is not there") }
      return tensor
    }
    nonmutating set { slot.replace(newValue) }
  }
}

extension Module {
  /// All parameters, in the order of declaration.
  public func namedParameters(prefix: String = "") -> [NamedParameter] {
    var found: [NamedParameter] = []
    for child in Mirror(reflecting: self).children {
      switch child.value {
      case let slot as any ParameterSlot where slot.tensor != nil:
        found.append(NamedParameter(name: prefix + slot.key, slot: slot))
      case let modules as any ModuleSlot:
        for (key, module) in modules.modules { found += module.namedParameters(prefix: prefix + key + ".") }
      default: break
      }
    }
    return found
  }

  /// The number of numbers in all parameters.
  public var parameterCount: Int {
    namedParameters().reduce(0) { $0 + $1.tensor.count }
  }

  /// Brings every parameter to a type, a device, or both.
  public func convert(to dtype: DType? = nil, device: Device? = nil) {
    for parameter in namedParameters() {
      let trained = parameter.tensor.requiresGradient
      parameter.tensor = withoutGradients { parameter.tensor.detached().to(dtype, device: device) }
      parameter.tensor.requiresGradient = trained
    }
  }

  /// Whether gradients flow to the parameters.
  public func setTrainable(_ trainable: Bool) {
    for parameter in namedParameters() { parameter.tensor.requiresGradient = trainable }
  }

  /// Forgets the gradients of all parameters.
  public func clearGradients() {
    for parameter in namedParameters() { parameter.tensor.gradient = nil }
  }
}

private protocol ParameterSlot: AnyObject {
  var key: String { get }
  var tensor: Tensor? { get }
  func replace(_ tensor: Tensor)
}

extension Parameter: ParameterSlot {
  fileprivate var tensor: Tensor? { wrappedValue as? Tensor }

  fileprivate func replace(_ tensor: Tensor) {
    guard let value = tensor as? Value else { fatalError("\(key) does not hold a tensor") }
    wrappedValue = value
  }
}

private protocol ModuleSlot {
  var modules: [(key: String, module: any Module)] { get }
}

extension Submodule: ModuleSlot {
  fileprivate var modules: [(key: String, module: any Module)] {
    if let module = wrappedValue as? any Module { return [(key, module)] }
    if let list = wrappedValue as? [any Module] { return list.enumerated().map { ("\(key).\($0)", $1) } }
    return []
  }
}

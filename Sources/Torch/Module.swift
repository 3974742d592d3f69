/// A part of a network: parameters and submodules, each declared under its name in checkpoints:
///
/// ```swift
/// final class GatedMLP: Module {
///   @Submodule("gate_proj") var gate: Linear
///   @Submodule("down_proj") var down: Linear
///   …
/// }
/// ```
public protocol Module: AnyObject {}

/// The storage of a module's property: its name, and its value once the module's initializer has set it.
public class ModuleProperty<Value> {
  /// The property's component of names in checkpoints.
  public let key: String
  private var storage: Value?

  /// Declares a property under a name; the module's initializer sets its value.
  public init(_ key: String) {
    self.key = key
  }

  fileprivate final var value: Value {
    get {
      guard let storage else { fatalError("the module's initializer did not set '\(key)'") }
      return storage
    }
    set { storage = newValue }
  }
}

/// A trainable tensor. `Value` is `Tensor`, or `Tensor?` for an optional parameter.
@propertyWrapper
public final class Parameter<Value>: ModuleProperty<Value> {
  /// The tensor.
  public var wrappedValue: Value {
    get { value }
    set { value = newValue }
  }
}

/// A module inside a module, or an array of modules, which are numbered: `layers.0`, `layers.1`, ….
@propertyWrapper
public final class Submodule<Value>: ModuleProperty<Value> {
  /// The module or modules.
  public var wrappedValue: Value {
    get { value }
    set { value = newValue }
  }
}

/// A parameter of a module with its full name.
public struct NamedParameter {
  /// The name in a checkpoint, for example `transformer.layers.0.mlp.up_proj.weight`.
  public let name: String
  fileprivate let slot: any ParameterSlot

  /// The tensor. Setting it replaces the parameter, for example with a tensor of another type.
  public var tensor: Tensor {
    get {
      guard let tensor = slot.tensor else { fatalError("the parameter \(name) is nil") }
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

  /// The total number of elements of all parameters.
  public var parameterCount: Int {
    namedParameters().reduce(0) { $0 + $1.tensor.count }
  }

  /// Converts every parameter to a type, a device, or both.
  public func convert(to dtype: DType? = nil, device: Device? = nil) {
    for parameter in namedParameters() {
      let isTrainable = parameter.tensor.requiresGradient
      parameter.tensor = withoutGradients { parameter.tensor.detached().to(dtype, device: device) }
      parameter.tensor.requiresGradient = isTrainable
    }
  }

  /// Sets whether gradients flow to the parameters.
  public func setTrainable(_ trainable: Bool) {
    for parameter in namedParameters() { parameter.tensor.requiresGradient = trainable }
  }

  /// Clears the gradients of all parameters.
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
    guard let value = tensor as? Value else { fatalError("the property \(key) is not a tensor") }
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

import CALM
import Foundation
import TestSupport
import Testing
import Torch

/// The recorded tensors of a case, with a record of those that were used, matched and missing.
final class RecordedNumbers {
  let source: ParityCase
  private let file: SafetensorsFile
  private let inputs: Set<String>
  private var read: Set<String> = []
  private var checked: Set<String> = []
  private var missing: Set<String> = []

  init(_ source: ParityCase) throws {
    self.source = source
    file = try SafetensorsFile(contentsOf: source.folder.appending(path: "expected.safetensors"))
    inputs = Set(source.description.inputs ?? [])
  }

  /// The names of the recorded tensors that begin with a prefix; if there are none, the prefix counts as missing.
  func names(withPrefix prefix: String) -> [String] {
    let names = file.names.filter { $0.hasPrefix(prefix) }
    if names.isEmpty { missing.insert(prefix + "*") }
    return names
  }

  /// Whether a tensor was recorded; if not, it counts as missing.
  func has(_ name: String) -> Bool {
    if file.layout(of: name) != nil { return true }
    missing.insert(name)
    return false
  }

  /// A recorded tensor to use as an input.
  func input(_ name: String) throws -> Tensor {
    read.insert(name)
    return try file.tensor(named: name).onTestDevice
  }

  /// A recorded number to use as an input.
  func number(_ name: String) throws -> Int { Int(try input(name).item()) }

  /// Expects a result to equal the recorded one, element by element: integers and marked tensors exactly.
  ///
  /// A tensor that was not recorded counts as missing; see ``expectNothingMissing()``. In bfloat16, numbers that follow
  /// from a choice are not compared, because rounding can change the choice.
  func check(_ name: String, _ actual: Tensor) throws {
    guard has(name) else { return }
    expect(name, actual, toBe: try file.tensor(named: name))
  }

  /// Expects a result to equal a recorded tensor, or a part of it.
  func expect(_ name: String, _ actual: Tensor, toBe expected: Tensor) {
    checked.insert(name)
    guard actual.count == expected.count, expected.count > 0 else {
      Issue.record("\(name): \(actual.shape) where \(expected.shape) was recorded")
      return
    }
    if isRounded && (!expected.dtype.isFloatingPoint || name.hasPrefix("brier")) { return }
    let (found, recorded) = (actual.elements(as: Double.self), expected.elements(as: Double.self))
    let tolerances = tolerances(of: name, expected.dtype, largest: recorded.map(abs).max() ?? 0)
    let rowLength = max(1, recorded.count / tolerances.count)
    var worst = 0
    func excess(_ index: Int) -> Double { abs(found[index] - recorded[index]) - tolerances[index / rowLength] }
    for index in recorded.indices where !(excess(index) <= excess(worst)) { worst = index }
    #expect(
      excess(worst) <= 0,
      "\(name)[\(worst)] is \(found[worst]), recorded \(recorded[worst]), tolerance \(tolerances[worst / rowLength])")
  }

  /// Counts a tensor as matched by a check that does not compare it element by element.
  func markChecked(_ name: String) { checked.insert(name) }

  /// Expects gradients to have the recorded norms, and every parameter to be among them.
  ///
  /// - Parameters:
  ///   - module: the module whose parameters have gradients.
  ///   - norms: the norms by parameter name, as in `meta.json`.
  func checkGradientNorms(of module: some Module, _ norms: [String: Double]?) throws {
    let norms = try #require(norms, "meta.json has no norms of the gradients")
    let parameters = module.namedParameters()
    #expect(Set(parameters.map(\.name)) == Set(norms.keys))
    for parameter in parameters {
      let recorded = try #require(norms[parameter.name])
      let found = parameter.tensor.gradient.map { $0.squared().sum().item().squareRoot() } ?? 0
      #expect(
        abs(found - recorded) <= relativeTolerance * recorded,
        "the gradient of \(parameter.name) has norm \(found), recorded \(recorded)")
    }
  }

  /// Expects that every recorded tensor was checked or used as an input, and that every tensor that a check requested
  /// was recorded.
  func expectComplete() {
    expectNothingMissing()
    let open = Set(file.names).subtracting(checked).subtracting(read.intersection(inputs))
    #expect(open.isEmpty, "nothing was compared with \(open.sorted().joined(separator: ", "))")
    print(
      "\(source.testDescription): of \(file.names.count) recorded tensors \(checked.count) were compared, "
        + "\(read.subtracting(checked).count) were inputs, \(open.count) were not used")
  }

  /// Expects that every tensor that a check requested was recorded, except those that `meta.json` declares as not
  /// recorded.
  func expectNothingMissing() {
    let omitted = Set(source.description.notRecorded ?? [])
    #expect(missing == omitted, "the missing tensors differ from those that meta.json declares as not recorded")
    if !omitted.isEmpty {
      print("\(source.testDescription): not recorded, so not checked: \(omitted.sorted().joined(separator: ", "))")
    }
  }

  private var isRounded: Bool { TestCompute.dtype == .bfloat16 }

  /// In bfloat16, 32 units of rounding; measured on a processor are up to 19, in gradients. A diffusion head divides by
  /// small numbers, which enlarges the errors.
  private var relativeTolerance: Double {
    guard isRounded else { return 1e-4 }
    return source.modelType == HeadKind.diffusion.rawValue ? 0.5 : 0x1p-3
  }

  /// One tolerance for all elements, or one for each row.
  private func tolerances(of name: String, _ dtype: DType, largest: Double) -> [Double] {
    let given = source.description.tolerance?[name]
    if isRounded { return [relativeTolerance * largest] }
    if given?.exact == true || !dtype.isFloatingPoint { return [0] }
    return given?.absPerRow ?? [
      given?.abs ?? (source.description.relativeTolerance ?? relativeTolerance) * largest
    ]
  }
}

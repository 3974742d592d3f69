import CTorch

/// An execution plan of a recorded row-wise network.
package struct RowPlan {
  private let trace: RowTrace
  private let result: Int
  /// The steps in execution order, each with the index of the value that it computes.
  private let steps: [(result: Int, step: RowStep)]

  /// Records `network` and selects its steps.
  package init(_ network: (Rows) -> Rows) {
    trace = RowTrace()
    let output = network(Rows(trace: trace, index: 0))
    precondition(output.trace === trace, "rowwise: the rows belong to different calls")
    result = output.index
    let selection = RowStepSelection(trace.operations, result: result)
    var (steps, needed) = ([(Int, RowStep)](), Set([result]))
    for index in trace.operations.indices.reversed() where needed.contains(index) {
      guard let step = selection.step(computing: index) else { continue }
      needed.formUnion(step.operands)
      steps.append((index, step))
    }
    self.steps = steps.reversed()
  }

  /// Runs the network on the rows of `x`, […, inputs] → […, outputs].
  package func callAsFunction(_ x: Tensor, fusing: RowFusion, packed: PackedRowWeights?) -> Tensor {
    if fusing == .chain, let kernel = kernelSteps, let fused = run(kernel, on: x, packed: packed) { return fused }
    return stepByStep(x)
  }

  /// Runs the steps one after the other, and frees each value after its last use.
  private func stepByStep(_ x: Tensor) -> Tensor {
    var reads = [Int: Int]()
    for operand in steps.flatMap(\.step.operands) + [result] { reads[operand, default: 0] += 1 }
    var values = [0: x]
    func read(_ index: Int) -> Tensor {
      guard let value = values[index], let left = reads[index] else {
        fatalError("rowwise: a value is read before its step")
      }
      reads[index] = left - 1
      if left == 1 { values[index] = nil }
      return value
    }
    for (result, step) in steps { values[result] = step.run(step.operands.map(read)) }
    return read(result)
  }
}

// MARK: The fused kernel

// The kernel has one register, which each step overwrites, and one saved copy of it for residuals.

extension RowPlan {
  /// The steps of the kernel; nil if it cannot express the network because a step has no kernel form, does not read the
  /// previous value, or adds a residual other than the last saved one.
  private var kernelSteps: [RowKernelStep]? {
    let residuals = Set(steps.compactMap { $0.step.operands.dropFirst().first })
    var (kernel, kept, current) = ([RowKernelStep](), nil as Int?, 0)
    func keepResidual() {
      guard residuals.contains(current) else { return }
      kernel.append(.keep)
      kept = current
    }
    keepResidual()
    for (result, step) in steps {
      guard let form = step.kernel, step.operands[0] == current,
        step.operands.dropFirst().allSatisfy({ $0 == kept })
      else { return nil }
      kernel += form
      current = result
      keepResidual()
    }
    return kernel
  }

  private func run(_ kernel: [RowKernelStep], on x: Tensor, packed: PackedRowWeights?) -> Tensor? {
    let isPacked = ct_row_network_prefers_panels(x.handle) != 0
    let panels = isPacked ? packed?.panels(of: kernel.flatMap(\.matrices)) : nil
    return withExtendedLifetime((kernel, panels)) {
      var left = panels?[...]
      let steps = kernel.map { $0.call(panels: left?.take($0.matrices.count)) }
      return ct_row_network_is_supported(x.handle, steps, Int32(steps.count)) != 0
        ? .make { ct_row_network($0, x.handle, steps, Int32(steps.count)) } : nil
    }
  }

  /// The names of the kernel's steps; nil if it cannot express the network.
  package var kernelDescription: [String]? { kernelSteps?.map(\.name) }
}

extension ArraySlice {
  /// Removes the first elements and returns them.
  fileprivate mutating func take(_ count: Int) -> [Element] {
    defer { removeFirst(count) }
    return Array(prefix(count))
  }
}

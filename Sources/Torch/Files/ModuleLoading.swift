extension Module {
  /// Fills the parameters with the tensors of the same names, converted to each parameter's type and device.
  ///
  /// Names and shapes are compared before anything changes. The elements go from the file into the parameters that are
  /// there, so loading needs no memory of its own.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - prefix: what stands before every parameter's name in `source`; tensors without it belong to others.
  ///   - ignoring: beginnings of names, counted behind the prefix, that may stand in `source` without being needed.
  ///   - keeping: beginnings of names of parameters that stay as they are where `source` lacks them.
  /// - Throws: ``CheckpointError/mismatch(file:_:)`` where a parameter is missing, a tensor is unexpected or has another
  ///   shape; any other ``CheckpointError`` or `FileError` where reading fails, which leaves the parameters undefined.
  public func load(
    from source: some TensorSource, prefix: String = "", ignoring: [String] = [], keeping: [String] = []
  ) throws {
    try check(source, prefix: prefix, ignoring: ignoring, keeping: keeping)
    for parameter in namedParameters() where source.layout(of: prefix + parameter.name) != nil {
      try source.read(prefix + parameter.name, into: parameter.tensor)
    }
  }

  /// Compares the names and shapes of parameters and tensors, as ``load(from:prefix:ignoring:keeping:)`` does first.
  public func check(
    _ source: some TensorSource, prefix: String = "", ignoring: [String] = [], keeping: [String] = []
  ) throws {
    let parameters = namedParameters()
    var mismatch = ParameterMismatch()
    for parameter in parameters {
      let expected = TensorLayout(of: parameter.tensor)
      guard let found = source.layout(of: prefix + parameter.name) else {
        if !keeping.contains(where: parameter.name.hasPrefix) { mismatch.missing.append(prefix + parameter.name) }
        continue
      }
      if found.shape != expected.shape || found.dtype.isFloatingPoint != expected.dtype.isFloatingPoint {
        mismatch.different.append(.init(name: prefix + parameter.name, found: found, expected: expected))
      }
    }
    let known = Set(parameters.map { prefix + $0.name })
    mismatch.unexpected = source.names.filter { name in
      name.hasPrefix(prefix) && !known.contains(name)
        && !ignoring.contains { name.dropFirst(prefix.count).hasPrefix($0) }
    }
    guard mismatch.isEmpty else { throw CheckpointError.mismatch(file: source.url.path, mismatch) }
  }
}

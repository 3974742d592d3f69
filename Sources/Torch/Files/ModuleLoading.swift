extension Module {
  /// Loads the parameters from the tensors of the same names, converted to each parameter's type and device.
  ///
  /// Names and shapes are checked before any parameter changes. Elements are read directly into the existing
  /// parameters, so loading allocates no copy of the weights.
  ///
  /// - Parameters:
  ///   - source: the weights.
  ///   - prefix: the prefix of the parameters' names in `source`. Tensors without it are ignored.
  ///   - ignoring: prefixes of names, after `prefix`, of tensors in `source` that the module does not need.
  ///   - keeping: prefixes of names of parameters that keep their values if `source` lacks them.
  /// - Throws: ``CheckpointError/mismatch(file:_:)`` if a parameter is missing, or a tensor is unexpected or has the
  ///   wrong shape. Another ``CheckpointError`` or `FileError` if reading fails, which leaves the parameters undefined.
  public func load(
    from source: some TensorSource, prefix: String = "", ignoring: [String] = [], keeping: [String] = []
  ) throws {
    try check(source, prefix: prefix, ignoring: ignoring, keeping: keeping)
    for parameter in namedParameters() where source.layout(of: prefix + parameter.name) != nil {
      try source.read(prefix + parameter.name, into: parameter.tensor)
    }
  }

  /// Checks names and shapes as ``load(from:prefix:ignoring:keeping:)`` does, without loading.
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

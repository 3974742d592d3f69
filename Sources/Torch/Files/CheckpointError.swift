import CALMSupport

/// An error in a file of weights, or a mismatch with the model.
public enum CheckpointError: DescribedError, Equatable {
  /// The file violates its format: it is truncated, damaged or malicious.
  case malformed(file: String, tensor: String? = nil, reason: String)
  /// The file is valid but uses an unsupported feature.
  case unsupported(file: String, tensor: String? = nil, reason: String)
  /// A folder without weights under a known name.
  case noWeights(folder: String, lookedFor: [String])
  /// A shard in the index does not exist.
  case missingShard(String, index: String)
  /// The file has no tensor with that name.
  case missingTensor(String, file: String)
  /// The tensors do not match the model.
  case mismatch(file: String, ParameterMismatch)

  /// One line: the file, the tensor, the fault and the remedy.
  public var description: String {
    switch self {
    case .malformed(let file, let tensor, let reason):
      "\(Self.place(file, tensor)) is damaged: \(reason); copy or download the file again"
    case .unsupported(let file, let tensor, let reason): "\(Self.place(file, tensor)) cannot be read: \(reason)"
    case .noWeights(let folder, let names):
      "\(folder) has no weights under the names \(names.joined(separator: ", ")); check the path"
    case .missingShard(let shard, let index):
      "\(index) lists the shard \(Self.quoted(shard)), which does not exist; copy or download all shards"
    case .missingTensor(let name, let file):
      "\(file) has no tensor \(Self.quoted(name)); check that the file belongs to this model"
    case .mismatch(let file, let mismatch): "\(file) does not match the model: \(mismatch)"
    }
  }

  private static func place(_ file: String, _ tensor: String?) -> String {
    tensor.map { "\(file), tensor \(quoted($0))" } ?? file
  }

  /// Quotes a name from a file, shortened and without control characters, for use in one line.
  static func quoted(_ name: String) -> String {
    let longest = 120
    let line = name.unicodeScalars.prefix(longest).map { scalar in
      scalar.properties.isWhitespace || scalar.properties.generalCategory == .control ? " " : scalar
    }
    let ending = name.unicodeScalars.count > longest ? "…" : ""
    return "'\(String(String.UnicodeScalarView(line)))\(ending)'"
  }
}

/// The differences between the tensors of a file and the parameters of a model.
public struct ParameterMismatch: Equatable, Sendable, CustomStringConvertible {
  /// A tensor with the wrong shape, or with a type that cannot be converted.
  public struct Difference: Equatable, Sendable {
    /// The tensor's name in the file.
    public var name: String
    /// The layout in the file.
    public var found: TensorLayout
    /// The layout in the model.
    public var expected: TensorLayout

    /// The requirement: the shape alone if both types are floating-point, which convert.
    fileprivate var requirement: String {
      found.dtype.isFloatingPoint == expected.dtype.isFloatingPoint ? "\(expected.shape)" : "\(expected)"
    }
  }

  /// Parameters that the file lacks.
  public var missing: [String]
  /// Tensors that the model lacks.
  public var unexpected: [String]
  /// Tensors with a different shape or type.
  public var different: [Difference]

  /// Creates a list of differences.
  public init(missing: [String] = [], unexpected: [String] = [], different: [Difference] = []) {
    (self.missing, self.unexpected, self.different) = (missing, unexpected, different)
  }

  var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && different.isEmpty }

  /// The count and the first few names of each kind of difference.
  public var description: String {
    [
      Self.summary("missing", missing.map(CheckpointError.quoted)),
      Self.summary("unexpected", unexpected.map(CheckpointError.quoted)),
      Self.summary(
        "different",
        different.map { "\(CheckpointError.quoted($0.name)) is \($0.found), the model needs \($0.requirement)" }),
    ].compactMap { $0 }.joined(separator: "; ")
  }

  /// The first few items and the number of the others.
  private static func summary(_ kind: String, _ items: [String]) -> String? {
    let shown = 3
    guard !items.isEmpty else { return nil }
    let rest = items.count > shown ? " and \(items.count - shown) more" : ""
    return "\(items.count) \(kind): \(items.prefix(shown).joined(separator: ", "))\(rest)"
  }
}

import CALMSupport

/// A file of weights that cannot be used, or does not belong to the model.
public enum CheckpointError: DescribedError, Equatable {
  /// The file breaks the rules of its format: it is cut short, damaged or made to mislead.
  case malformed(file: String, tensor: String? = nil, reason: String)
  /// The file is right but holds what is not read here.
  case unsupported(file: String, tensor: String? = nil, reason: String)
  /// A folder without weights under any of the known names.
  case noWeights(folder: String, lookedFor: [String])
  /// A shard that the index names is not there.
  case missingShard(String, index: String)
  /// The file has no tensor of that name.
  case missingTensor(String, file: String)
  /// The tensors are not those of the model.
  case mismatch(file: String, ParameterMismatch)

  /// One line: the file, the tensor, what is wrong, what to do.
  public var description: String {
    switch self {
    case .malformed(let file, let tensor, let reason):
      "\(Self.place(file, tensor)) is damaged: \(reason); copy or download the file again"
    case .unsupported(let file, let tensor, let reason): "\(Self.place(file, tensor)) cannot be read: \(reason)"
    case .noWeights(let folder, let names):
      "there are no weights in \(folder): looked for \(names.joined(separator: ", ")); check the path"
    case .missingShard(let shard, let index):
      "\(index) names the shard \(Self.quoted(shard)), which is not there; copy or download all shards"
    case .missingTensor(let name, let file):
      "\(file) has no tensor \(Self.quoted(name)); check that it is of this model"
    case .mismatch(let file, let mismatch): "\(file) does not fit the model: \(mismatch)"
    }
  }

  private static func place(_ file: String, _ tensor: String?) -> String {
    tensor.map { "\(file), tensor \(quoted($0))" } ?? file
  }

  /// A name out of a file, fit for one line whatever it holds.
  static func quoted(_ name: String) -> String {
    let longest = 120
    let line = name.unicodeScalars.prefix(longest).map { scalar in
      scalar.properties.isWhitespace || scalar.properties.generalCategory == .control ? " " : scalar
    }
    let ending = name.unicodeScalars.count > longest ? "…" : ""
    return "'\(String(String.UnicodeScalarView(line)))\(ending)'"
  }
}

/// How the tensors of a file differ from the parameters of a model.
public struct ParameterMismatch: Equatable, Sendable, CustomStringConvertible {
  /// A parameter whose tensor is of another shape, or of a type that does not convert.
  public struct Difference: Equatable, Sendable {
    /// The name in the file.
    public var name: String
    /// What the file has.
    public var found: TensorLayout
    /// What the model has.
    public var expected: TensorLayout

    /// What is wrong about the tensor: floating-point types convert, so then it is the shape alone.
    fileprivate var need: String {
      found.dtype.isFloatingPoint == expected.dtype.isFloatingPoint ? "\(expected.shape)" : "\(expected)"
    }
  }

  /// Parameters that the file lacks.
  public var missing: [String]
  /// Tensors that the model has no use for.
  public var unexpected: [String]
  /// Tensors of another shape or type.
  public var different: [Difference]

  /// No difference unless given.
  public init(missing: [String] = [], unexpected: [String] = [], different: [Difference] = []) {
    (self.missing, self.unexpected, self.different) = (missing, unexpected, different)
  }

  var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && different.isEmpty }

  /// The kinds of differences, each with its number and its first few names.
  public var description: String {
    [
      Self.summary("missing", missing.map(CheckpointError.quoted)),
      Self.summary("unexpected", unexpected.map(CheckpointError.quoted)),
      Self.summary(
        "different",
        different.map { "\(CheckpointError.quoted($0.name)) is \($0.found), the model needs \($0.need)" }),
    ].compactMap { $0 }.joined(separator: "; ")
  }

  /// The first few of a list and how many more there are.
  private static func summary(_ what: String, _ items: [String]) -> String? {
    let shown = 3
    guard !items.isEmpty else { return nil }
    let rest = items.count > shown ? " and \(items.count - shown) more" : ""
    return "\(items.count) \(what): \(items.prefix(shown).joined(separator: ", "))\(rest)"
  }
}

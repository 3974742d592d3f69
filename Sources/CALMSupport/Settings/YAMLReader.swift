import Yams

/// A syntax error in YAML, or YAML that has no equivalent in JSON.
struct YAMLSyntaxError: Error {
  /// One line that ends with the position in the text.
  let reason: String

  init(_ reason: String, at mark: Mark?) { self.init(reason, line: mark?.line) }

  init(_ reason: String, line: Int?) { self.reason = reason + (line.map { " at line \($0)" } ?? "") }
}

/// Reads a YAML document as a JSON value.
///
/// Plain scalars follow the core schema of YAML 1.2 (section 10.3.2): unlike in YAML 1.1, `1e-3` is a number and `no`
/// is a string.
struct YAMLReader {
  private static let maximumDepth = 64

  private var valuesLeft = SettingsFile.maximumCount

  /// Parses `bytes`. An empty document is null.
  static func read(_ bytes: [UInt8]) throws -> JSONValue {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw YAMLSyntaxError("invalid UTF-8", at: nil)
    }
    try YAMLNameCheck.check(bytes)
    do {
      guard let root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot() else { return .null }
      var reader = YAMLReader()
      return try reader.value(root, depth: 0)
    } catch let error as YamlError {
      throw YAMLSyntaxError(error, in: text)
    }
  }

  private mutating func value(_ node: Node, depth: Int) throws -> JSONValue {
    guard depth < Self.maximumDepth else {
      throw YAMLSyntaxError("nested more than \(Self.maximumDepth) levels deep", at: node.mark)
    }
    valuesLeft -= 1
    guard valuesLeft >= 0 else { throw YAMLSyntaxError("too many values", at: node.mark) }
    switch node {
    case .scalar(let scalar): return try Self.value(of: scalar)
    case .sequence(let sequence):
      try Self.expect(sequence.tag, of: [.implicit, .seq], at: node.mark)
      return .array(try sequence.map { try value($0, depth: depth + 1) })
    case .mapping(let mapping):
      try Self.expect(mapping.tag, of: [.implicit, .map], at: node.mark)
      return .object(
        try mapping.map { key, value in
          guard case .scalar(let name) = key else {
            throw YAMLSyntaxError("a key must be a string", at: key.mark)
          }
          return JSONValue.Member(key: name.string, value: try self.value(value, depth: depth + 1))
        })
    case .alias: throw YAMLSyntaxError("an alias without an anchor", at: node.mark)
    }
  }

  private static func value(of scalar: Node.Scalar) throws -> JSONValue {
    guard scalar.tag == .implicit else {
      try expect(scalar.tag, of: [.str, .nonSpecific], at: scalar.mark)
      return .string(scalar.string)
    }
    switch scalar.string {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .bool(true)
    case "false", "False", "FALSE": return .bool(false)
    case let text:
      if let number = Int(text) { return .integer(number) }
      // The check of the characters keeps words like inf, nan or 0x1p3 strings.
      if text.utf8.allSatisfy("+-.eE0123456789".utf8.contains), let number = Double(text) {
        guard number.isFinite else { throw YAMLSyntaxError("a number that is too large", at: scalar.mark) }
        return .number(number)
      }
      return .string(text)
    }
  }

  private static func expect(_ tag: Tag, of names: [Tag.Name], at mark: Mark?) throws {
    guard names.contains(where: { $0.rawValue == tag.rawValue }) else {
      throw YAMLSyntaxError("unsupported tag '\(tag.rawValue)'", at: mark)
    }
  }
}

extension YAMLSyntaxError {
  /// Converts the parser's error for `text` to one line.
  fileprivate init(_ error: YamlError, in text: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(problem, at: mark)
    case .reader(let problem, let offset, _, _):
      self.init(problem, line: offset.map { 1 + text.prefix($0).count(where: \.isNewline) })
    case .duplicatedKeysInMapping(let names, let context):
      self.init("'\(names.joined(separator: "', '"))' occurs twice in one mapping", at: context.mark)
    default:
      self.init("\(error)".split(whereSeparator: \.isNewline).joined(separator: " "), at: nil)
    }
  }
}

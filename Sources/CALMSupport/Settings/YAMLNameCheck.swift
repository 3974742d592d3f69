internal import CYaml

/// Checks that every key in a YAML text is a scalar, using the parser's events, before nodes are composed.
///
/// Yams hashes the keys of each mapping while it composes nodes, and hashing an alias takes time proportional to the
/// size of its value. With nested aliases in a key, that time is exponential in the length of the text.
enum YAMLNameCheck {
  private enum Container {
    case sequence
    case mapping(expectsKey: Bool)
  }

  /// Checks a text up to the first syntax error, which Yams reports later.
  ///
  /// - Throws: ``YAMLSyntaxError`` at the first key that is an alias, a sequence or a mapping.
  static func check(_ bytes: [UInt8]) throws(YAMLSyntaxError) {
    var parser = yaml_parser_t()
    guard yaml_parser_initialize(&parser) == 1 else { return }
    defer { yaml_parser_delete(&parser) }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
    let invalidLine = bytes.withUnsafeBufferPointer { text in
      yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
      return lineOfInvalidKey(&parser)
    }
    if let invalidLine { throw YAMLSyntaxError("a key must be a string", line: invalidLine) }
  }

  private static func lineOfInvalidKey(_ parser: inout yaml_parser_t) -> Int? {
    var containers: [Container] = []
    var event = yaml_event_t()
    while yaml_parser_parse(&parser, &event) == 1, event.type != YAML_STREAM_END_EVENT {
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_SCALAR_EVENT, YAML_ALIAS_EVENT, YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT:
        if case .mapping(let expectsKey) = containers.last {
          if expectsKey && event.type != YAML_SCALAR_EVENT { return Int(event.start_mark.line) + 1 }
          containers[containers.count - 1] = .mapping(expectsKey: !expectsKey)
        }
        if event.type == YAML_SEQUENCE_START_EVENT { containers.append(.sequence) }
        if event.type == YAML_MAPPING_START_EVENT { containers.append(.mapping(expectsKey: true)) }
      case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: containers.removeLast()
      default: break
      }
    }
    return nil
  }
}

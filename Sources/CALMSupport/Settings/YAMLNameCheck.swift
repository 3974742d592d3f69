internal import CYaml

/// Checks that every name of a member in a YAML text is a scalar, from the parser's events, before nodes are composed.
///
/// Yams hashes the keys of each mapping while it composes, and the cost of hashing an alias is the size of the value that
/// it stands for. Nested aliases in a key make that exponential in the length of the text.
enum YAMLNameCheck {
  private enum Container {
    case sequence
    case mapping(expectsName: Bool)
  }

  /// Passes over a text that is not YAML up to the first error, which Yams reports.
  ///
  /// - Throws: ``YAMLSyntaxError`` at the first name that is an alias, a sequence or a mapping.
  static func check(_ bytes: [UInt8]) throws(YAMLSyntaxError) {
    var parser = yaml_parser_t()
    guard yaml_parser_initialize(&parser) == 1 else { return }
    defer { yaml_parser_delete(&parser) }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
    let badLine = bytes.withUnsafeBufferPointer { text in
      yaml_parser_set_input_string(&parser, text.baseAddress, text.count)
      return lineOfBadName(&parser)
    }
    if let badLine { throw YAMLSyntaxError("the name of a member must be a text", line: badLine) }
  }

  private static func lineOfBadName(_ parser: inout yaml_parser_t) -> Int? {
    var containers: [Container] = []
    var event = yaml_event_t()
    while yaml_parser_parse(&parser, &event) == 1, event.type != YAML_STREAM_END_EVENT {
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_SCALAR_EVENT, YAML_ALIAS_EVENT, YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT:
        if case .mapping(let expectsName) = containers.last {
          if expectsName && event.type != YAML_SCALAR_EVENT { return Int(event.start_mark.line) + 1 }
          containers[containers.count - 1] = .mapping(expectsName: !expectsName)
        }
        if event.type == YAML_SEQUENCE_START_EVENT { containers.append(.sequence) }
        if event.type == YAML_MAPPING_START_EVENT { containers.append(.mapping(expectsName: true)) }
      case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: containers.removeLast()
      default: break
      }
    }
    return nil
  }
}

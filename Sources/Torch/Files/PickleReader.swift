/// The reason why a pickle is rejected.
struct PickleError: Error {
  /// Whether the pickle is valid but builds unsupported objects.
  let isForeign: Bool
  let reason: String
}

/// Reads the subset of Python's pickle format that torch.save uses for a dictionary of tensors.
///
/// A pickle is a program for a small stack machine that may call any class with any arguments. This reader emulates
/// three known functions by building their results, and rejects every other class by name. It discards the contents of
/// inner dictionaries and lists: they are not needed, and values that cannot nest cannot exhaust the stack.
struct PickleReader {
  private static let maximumStack = 1 << 16
  private static let maximumDepth = 4

  private let bytes: [UInt8]
  private var position = 0
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]

  /// Returns the value that a pickle builds.
  ///
  /// - Throws: ``PickleError``.
  static func read(_ bytes: [UInt8]) throws -> PickleValue {
    var reader = PickleReader(bytes: bytes)
    return try reader.run()
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func malformed(_ reason: String) -> PickleError {
    PickleError(isForeign: false, reason: "\(reason) at byte \(position) of its pickle")
  }

  private mutating func run() throws -> PickleValue {
    while true {
      let code = try byte()
      if code == UInt8(ascii: ".") { return try pop() }
      try step(code)
      guard stack.count + marks.count <= Self.maximumStack else { throw malformed("too many values on the stack") }
    }
  }

  // The opcodes of Python's pickletools.
  private mutating func step(_ code: UInt8) throws {
    switch code {
    case 0x80: _ = try byte()  // PROTO
    case 0x95: _ = try unsigned(8)  // FRAME
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(try unsigned(1)))
    case UInt8(ascii: "M"): stack.append(.integer(try unsigned(2)))
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case 0x8A: stack.append(.integer(try long()))
    case UInt8(ascii: "G"):
      _ = try take(8)
      stack.append(.opaque("a floating-point number"))
    case UInt8(ascii: "X"): stack.append(.string(try text(try unsigned(4))))
    case 0x8C: stack.append(.string(try text(try unsigned(1))))
    case UInt8(ascii: "}"): stack.append(.dictionary(PickleDictionary()))
    case UInt8(ascii: "]"): stack.append(.opaque("a list"))
    case UInt8(ascii: ")"): stack.append(.tuple([], depth: 1))
    case 0x85: try appendTuple(try pop(1))
    case 0x86: try appendTuple(try pop(2))
    case 0x87: try appendTuple(try pop(3))
    case UInt8(ascii: "t"): try appendTuple(try popToMark())
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "a"): _ = try pop()
    case UInt8(ascii: "e"): _ = try popToMark()
    case UInt8(ascii: "s"): try insert(try pop(2))
    case UInt8(ascii: "u"): try insert(try popToMark())
    case UInt8(ascii: "q"): try memorize(at: try unsigned(1))
    case UInt8(ascii: "r"): try memorize(at: try unsigned(4))
    case 0x94: try memorize(at: memo.count)
    case UInt8(ascii: "h"): try recall(try unsigned(1))
    case UInt8(ascii: "j"): try recall(try unsigned(4))
    case UInt8(ascii: "c"):
      let module = try line()
      stack.append(try known(module: module, name: try line()))
    case 0x93:
      let names = try pop(2).compactMap(\.string)
      guard names.count == 2 else { throw malformed("a class has no name") }
      stack.append(try known(module: names[0], name: names[1]))
    case UInt8(ascii: "Q"): try appendStorage(try pop())
    case UInt8(ascii: "R"): try call(try pop(2))
    case UInt8(ascii: "b"): try setState(try pop())
    default:
      throw PickleError(
        isForeign: true,
        reason: "its pickle contains the operation 0x\(String(code, radix: 16)), which state dictionaries do not use")
    }
  }

  // MARK: Bytes

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count <= bytes.count - position else { throw malformed("the data ends early") }
    defer { position += count }
    return bytes[position..<position + count]
  }

  private mutating func byte() throws -> UInt8 {
    guard position < bytes.count else { throw malformed("the data ends early") }
    defer { position += 1 }
    return bytes[position]
  }

  /// A little-endian integer of up to eight bytes.
  private mutating func unsigned(_ count: Int) throws -> Int {
    Int(truncatingIfNeeded: try take(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }

  /// A signed integer after its length.
  private mutating func long() throws -> Int {
    let digits = try take(try unsigned(1))
    guard digits.count <= 8 else { throw malformed("an integer is too large") }
    let value = Int(truncatingIfNeeded: digits.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    let unused = 64 - 8 * digits.count
    return unused == 64 ? 0 : (value << unused) >> unused
  }

  private mutating func text(_ count: Int) throws -> String {
    guard let text = String(validating: try take(count), as: UTF8.self) else {
      throw malformed("a string is not UTF-8")
    }
    return text
  }

  private mutating func line() throws -> String {
    guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
      throw malformed("a line has no end")
    }
    defer { position += 1 }
    return try text(end - position)
  }

  // MARK: The stack

  private mutating func pop(_ count: Int) throws -> [PickleValue] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("a value is missing") }
    defer { stack.removeLast(count) }
    return Array(stack.suffix(count))
  }

  private mutating func pop() throws -> PickleValue { try pop(1)[0] }

  private mutating func popToMark() throws -> [PickleValue] {
    guard let mark = marks.popLast(), mark <= stack.count else { throw malformed("a mark is missing") }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func top() throws -> PickleValue {
    guard stack.count > (marks.last ?? 0), let top = stack.last else { throw malformed("a value is missing") }
    return top
  }

  private mutating func memorize(at index: Int) throws { memo[index] = try top() }

  private mutating func recall(_ index: Int) throws {
    guard let value = memo[index] else { throw malformed("a reference to a value that was not stored") }
    stack.append(value)
  }

  // MARK: Building

  private mutating func appendTuple(_ elements: [PickleValue]) throws {
    let depth = elements.reduce(1) { depth, element in
      if case .tuple(_, let inner) = element { max(depth, inner + 1) } else { depth }
    }
    guard depth <= Self.maximumDepth else { throw malformed("tuples are nested more than \(Self.maximumDepth) deep") }
    stack.append(.tuple(elements.map(Self.withoutContent), depth: depth))
  }

  private static func withoutContent(_ value: PickleValue) -> PickleValue {
    if case .dictionary = value { .opaque(value.kind) } else { value }
  }

  private mutating func insert(_ items: [PickleValue]) throws {
    guard items.count % 2 == 0, case .dictionary(let dictionary) = try top() else {
      throw malformed("items are added to a value that is not a dictionary")
    }
    for index in stride(from: 0, to: items.count, by: 2) {
      dictionary.items.append((Self.withoutContent(items[index]), Self.withoutContent(items[index + 1])))
    }
  }

  private func known(module: String, name: String) throws -> PickleValue {
    switch "\(module).\(name)" {
    case "collections.OrderedDict": return .function(.orderedDictionary)
    case "torch._utils._rebuild_tensor_v2": return .function(.rebuildTensor)
    case "torch._utils._rebuild_parameter": return .function(.rebuildParameter)
    case let path:
      if let dtype = DType.allCases.first(where: { path == "torch.\($0.storageClass)" }) { return .storageType(dtype) }
      throw PickleError(
        isForeign: true,
        reason:
          "it contains \(CheckpointError.quoted(path)), but only tensors are supported; save only the state_dict()")
    }
  }

  private mutating func appendStorage(_ description: PickleValue) throws {
    guard let parts = description.tuple, parts.count == 5, parts[0].string == "storage",
      case .storageType(let dtype) = parts[1], let key = parts[2].string, let count = parts[4].integer, count >= 0
    else { throw malformed("a storage has an invalid description") }
    stack.append(.storage(PickleStorage(key: key, dtype: dtype, count: count)))
  }

  private mutating func call(_ callAndArguments: [PickleValue]) throws {
    guard case .function(let function) = callAndArguments[0], let arguments = callAndArguments[1].tuple else {
      throw malformed("a value that is not a function is called")
    }
    switch function {
    case .orderedDictionary:
      guard arguments.isEmpty else { throw malformed("an OrderedDict has arguments") }
      stack.append(.dictionary(PickleDictionary()))
    case .rebuildTensor:
      guard arguments.count >= 6, case .storage(let storage) = arguments[0], let offset = arguments[1].integer,
        let shape = arguments[2].integers, let strides = arguments[3].integers
      else { throw malformed("a tensor has an invalid description") }
      stack.append(.tensor(PickleTensor(storage: storage, offset: offset, shape: shape, strides: strides)))
    case .rebuildParameter:
      guard case .tensor? = arguments.first else { throw malformed("a parameter has no tensor") }
      stack.append(arguments[0])
    }
  }

  /// A state_dict() stores its version as the state of its dictionary. The reader ignores it.
  private func setState(_ state: PickleValue) throws {
    guard case .dictionary = try top() else { throw malformed("a state is set on a value that is not a dictionary") }
  }
}

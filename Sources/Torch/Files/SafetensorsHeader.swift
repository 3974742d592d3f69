import CALMSupport

/// The checked header of a safetensors file.
struct SafetensorsHeader {
  /// The key of the header's metadata.
  static let metadataKey = "__metadata__"
  /// The maximum length of a header in the reference implementation.
  static let maximumLength = 100_000_000

  private(set) var metadata: [String: String] = [:]
  /// The entries in the order of their bytes.
  private(set) var entries: [(name: String, entry: SafetensorsFile.Entry)] = []
  private let path: String

  /// Reads and checks the header of a file.
  init(of file: ReadableFile) throws {
    path = file.path
    let text = try Self.text(of: file)
    let members: [JSONValue.Member]
    do {
      guard case .object(let object) = try JSONParser.parse(text) else {
        throw CheckpointError.malformed(file: path, reason: "the header is not a JSON object")
      }
      members = object
    } catch let error as JSONSyntaxError {
      throw CheckpointError.malformed(file: path, reason: "the header is not JSON: \(error.reason)")
    }
    let start = 8 + text.count
    var known: Set<String> = []
    for member in members {
      guard known.insert(member.key).inserted else { throw malformed(member.key, "the header contains it twice") }
      if member.key == Self.metadataKey {
        metadata = try readMetadata(member.value)
      } else {
        entries.append((member.key, try readEntry(member, start: start, end: file.size)))
      }
    }
    try checkOffsets(start: start, end: file.size)
  }

  private static func text(of file: ReadableFile) throws -> [UInt8] {
    let prefix = try file.bytes(in: 0..<8)
    guard prefix.count == 8 else {
      throw CheckpointError.malformed(file: file.path, reason: "\(file.size) bytes are too few for a header")
    }
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= maximumLength && length <= file.size - 8 else {
      throw CheckpointError.malformed(
        file: file.path, reason: "the header claims \(length) bytes in a file of \(file.size)")
    }
    let text = try file.bytes(in: 8..<8 + Int(length))
    guard text.count == length, text.first == UInt8(ascii: "{") else {
      throw CheckpointError.malformed(file: file.path, reason: "the header does not begin with '{'")
    }
    return text
  }

  private func malformed(_ tensor: String?, _ reason: String) -> CheckpointError {
    .malformed(file: path, tensor: tensor, reason: reason)
  }

  private func readMetadata(_ value: JSONValue) throws -> [String: String] {
    guard let members = value.object else { throw malformed(nil, "\(Self.metadataKey) is not an object") }
    var metadata: [String: String] = [:]
    for member in members {
      guard let text = member.value.string, metadata.updateValue(text, forKey: member.key) == nil else {
        throw malformed(
          nil, "\(CheckpointError.quoted(member.key)) in \(Self.metadataKey) is not a string or occurs twice")
      }
    }
    return metadata
  }

  private func readEntry(_ member: JSONValue.Member, start: Int, end: Int) throws -> SafetensorsFile.Entry {
    let name = member.key
    guard let fields = member.value.object, Set(fields.map(\.key)) == ["dtype", "shape", "data_offsets"],
      fields.count == 3
    else { throw malformed(name, "its entry must contain exactly dtype, shape and data_offsets") }
    guard let typeName = member.value["dtype"]?.string else { throw malformed(name, "its dtype is not a string") }
    guard let dtype = DType.allCases.first(where: { $0.safetensorsName == typeName }) else {
      throw CheckpointError.unsupported(
        file: path, tensor: name,
        reason: "the element type \(CheckpointError.quoted(typeName)) is not one of "
          + DType.allCases.map(\.safetensorsName).joined(separator: ", ") + "; convert the file")
    }
    guard let shape = member.value["shape"]?.integers, let layout = TensorLayout(dtype: dtype, shape: shape) else {
      throw malformed(name, "its shape is not a list of valid lengths")
    }
    guard let offsets = member.value["data_offsets"]?.integers, offsets.count == 2, 0 <= offsets[0],
      offsets[0] <= offsets[1], offsets[1] <= end - start
    else { throw malformed(name, "its data_offsets are outside the file of \(end) bytes") }
    guard offsets[1] - offsets[0] == layout.byteCount else {
      throw malformed(name, "its data has \(offsets[1] - offsets[0]) bytes, but \(layout) needs \(layout.byteCount)")
    }
    return SafetensorsFile.Entry(layout: layout, bytes: start + offsets[0]..<start + offsets[1])
  }

  /// Sorts the entries by offset, and checks that they cover the data without gaps.
  private mutating func checkOffsets(start: Int, end: Int) throws {
    entries.sort {
      ($0.entry.bytes.lowerBound, $0.entry.bytes.upperBound) < ($1.entry.bytes.lowerBound, $1.entry.bytes.upperBound)
    }
    var position = start
    for (name, entry) in entries {
      if entry.bytes.lowerBound != position {
        throw malformed(
          name, entry.bytes.lowerBound < position ? "it overlaps another tensor" : "unused bytes precede it")
      }
      position = entry.bytes.upperBound
    }
    if position != end { throw malformed(nil, "\(end - position) unused bytes follow the last tensor") }
  }
}

extension DType {
  /// The name of the type in the format.
  var safetensorsName: String {
    switch self {
    case .bool: "BOOL"
    case .uint8: "U8"
    case .int32: "I32"
    case .int64: "I64"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    }
  }
}

extension JSONValue {
  /// The elements, if the value is an array of integers.
  fileprivate var integers: [Int]? {
    guard let array else { return nil }
    let integers = array.compactMap(\.integer)
    return integers.count == array.count ? integers : nil
  }
}

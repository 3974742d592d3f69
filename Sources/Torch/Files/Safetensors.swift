import Files
import Foundation

/// Writing of the safetensors format; ``SafetensorsFile`` reads it.
public enum Safetensors {
  /// Writes tensors into a file that appears complete or not at all.
  ///
  /// The order in the file is that of the reference implementation: by type, larger elements first, then by name. So the
  /// same tensors always give the same bytes, and every tensor is aligned. Only one tensor at a time is brought to the
  /// CPU or made contiguous.
  ///
  /// - Parameter metadata: notes for the reader; `format: pt` is what other libraries look for.
  /// - Precondition: no tensor is named `__metadata__`.
  /// - Throws: `FileError`; whatever stood at `url` then stays as it was.
  public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to url: URL) throws {
    precondition(tensors[SafetensorsHeader.metadataKey] == nil, "a tensor named \(SafetensorsHeader.metadataKey)")
    let ordered = tensors.sorted { a, b in
      let (first, second) = (order(a.value.dtype), order(b.value.dtype))
      return first == second ? a.key.utf8.lexicographicallyPrecedes(b.key.utf8) : first < second
    }
    let header = header(of: ordered.map { ($0.key, TensorLayout(of: $0.value)) }, metadata: metadata)
    let file = try AtomicFile(replacing: url.path)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.write($0) }
    try header.withUnsafeBytes { try file.write($0) }
    for (_, tensor) in ordered { try tensor.detached().withUnsafeBytes { try file.write($0) } }
    try file.commit()
  }

  private static func order(_ dtype: DType) -> Int {
    switch dtype {
    case .int64: 0
    case .float64: 1
    case .float32: 2
    case .int32: 3
    case .bfloat16: 4
    case .float16: 5
    case .uint8: 6
    case .bool: 7
    }
  }

  /// The JSON text, padded with spaces so that the tensors begin at a multiple of eight bytes.
  private static func header(of tensors: [(String, TensorLayout)], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\(quoted(SafetensorsHeader.metadataKey)):{\(notes.joined(separator: ","))}")
    }
    var place = 0
    for (name, layout) in tensors {
      let shape = layout.shape.map(String.init).joined(separator: ",")
      let end = place + layout.byteCount
      members.append(
        "\(quoted(name)):{\"dtype\":\"\(layout.dtype.safetensorsName)\",\"shape\":[\(shape)],\"data_offsets\":[\(place),\(end)]}"
      )
      place = end
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    text += repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return text
  }

  /// A text as JSON writes it.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

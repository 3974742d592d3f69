import CALMSupport
import Foundation

/// Writes the safetensors format; ``SafetensorsFile`` reads it.
public enum Safetensors {
  /// Writes tensors to a file atomically.
  ///
  /// - Parameter metadata: text for readers; other libraries expect `format: pt`.
  /// - Precondition: no tensor is named `__metadata__`.
  /// - Throws: `FileError`; an existing file at `url` is then unchanged.
  public static func write(_ tensors: [String: Tensor], metadata: [String: String] = [:], to url: URL) throws {
    try write(tensors.map { name, tensor in TensorToWrite(tensor, names: [name]) }, metadata: metadata, to: url)
  }

  /// Writes tensors to a file atomically. A tensor with several names is stored under each.
  ///
  /// Tensors are stored in the order of the reference implementation: by element size, largest first, then by name. The
  /// same tensors therefore always produce the same bytes, and every tensor is aligned. Tensors are loaded, moved to
  /// the CPU and made contiguous one at a time.
  ///
  /// - Parameter metadata: text for readers; other libraries expect `format: pt`.
  /// - Precondition: no tensor is named `__metadata__`.
  /// - Throws: `FileError`, or the error of a tensor's source; an existing file at `url` is then unchanged.
  public static func write(_ tensors: [TensorToWrite], metadata: [String: String] = [:], to url: URL) throws {
    let named = tensors.flatMap { tensor in tensor.names.map { (name: $0, tensor: tensor) } }
    let ordered = named.sorted { a, b in
      let (first, second) = (order(a.tensor.layout.dtype), order(b.tensor.layout.dtype))
      return first == second ? a.name.utf8.lexicographicallyPrecedes(b.name.utf8) : first < second
    }
    let isMetadataKeyUnused = ordered.allSatisfy { $0.name != SafetensorsHeader.metadataKey }
    precondition(isMetadataKeyUnused, "a tensor has the reserved name \(SafetensorsHeader.metadataKey)")
    let header = header(of: ordered.map { ($0.name, $0.tensor.layout) }, metadata: metadata)
    let file = try AtomicFile(replacing: url.path)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.write($0) }
    try header.withUnsafeBytes { try file.write($0) }
    for (_, tensor) in ordered { try tensor.withBytes { try file.write($0) } }
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

  /// The JSON text, padded with spaces to align the tensors to eight bytes.
  private static func header(of tensors: [(String, TensorLayout)], metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key < $1.key }.map {
        "\(JSONValue.quoted($0.key)):\(JSONValue.quoted($0.value))"
      }
      members.append("\(JSONValue.quoted(SafetensorsHeader.metadataKey)):{\(notes.joined(separator: ","))}")
    }
    var offset = 0
    for (name, layout) in tensors {
      let shape = layout.shape.map(String.init).joined(separator: ",")
      let end = offset + layout.byteCount
      members.append(
        "\(JSONValue.quoted(name)):{\"dtype\":\"\(layout.dtype.safetensorsName)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    text += repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return text
  }
}

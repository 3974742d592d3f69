import CALMSupport
import Foundation

/// A file of named tensors in the safetensors format, <https://github.com/huggingface/safetensors>.
///
/// Opening a file reads and checks only the header: a length of eight bytes, then a JSON object with the type, shape
/// and byte range of each tensor.
public final class SafetensorsFile: TensorSource {
  /// A tensor of the file.
  public struct Entry: Equatable, Sendable {
    /// Type and shape.
    public let layout: TensorLayout
    /// The byte range, from the start of the file.
    public let bytes: Range<Int>
  }

  /// The file.
  public let url: URL
  /// The names of all tensors, in the order of their bytes.
  public let names: [String]
  /// The writer's metadata, for example `format: pt`.
  public let metadata: [String: String]
  private let entries: [String: Entry]
  private let file: ReadableFile

  /// Opens a file and checks its header.
  ///
  /// - Throws: ``CheckpointError`` if the file violates the format or has unsupported types; `FileError` if it cannot
  ///   be read.
  public init(contentsOf url: URL) throws {
    file = try ReadableFile(path: url.path)
    let header = try SafetensorsHeader(of: file)
    self.url = url
    metadata = header.metadata
    entries = Dictionary(uniqueKeysWithValues: header.entries.map { ($0.name, $0.entry) })
    names = header.entries.map(\.name)
  }

  /// The layout and byte range of a tensor; nil if there is no tensor with that name.
  public func entry(named name: String) -> Entry? { entries[name] }

  /// The type and shape of a tensor; nil if there is no tensor with that name.
  public func layout(of name: String) -> TensorLayout? { entries[name]?.layout }

  /// Reads the elements of a tensor into another of the same shape; see ``TensorSource/read(_:into:)``.
  public func read(_ name: String, into destination: Tensor) throws {
    guard let entry = entries[name] else { throw CheckpointError.missingTensor(name, file: url.path) }
    let region = TensorRegion(name: name, layout: entry.layout, offset: entry.bytes.lowerBound)
    try region.read(from: file, into: destination)
  }
}

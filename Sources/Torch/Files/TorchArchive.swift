import CALMSupport
import CTorch
import Foundation

/// A file of named tensors in the format of `torch.save`, usually `pytorch_model.bin`.
///
/// Opening a file reads and checks the descriptions of the tensors; elements are read on demand. libtorch's own reader
/// loads all tensors at once, and trusts the shapes and sizes in the file.
public final class TorchArchive: TensorSource {
  /// The file.
  public let url: URL
  /// The names of all tensors, in the order of the dictionary.
  public let names: [String]
  private let tensors: [String: StoredTensor]
  private let file: ReadableFile
  private var loaded: [StoredTensor.Place: WeakTensor] = [:]

  private struct WeakTensor { weak var tensor: Tensor? }

  private static let maximumPickleSize = 16 << 20

  /// Opens a file and checks the descriptions of its tensors.
  ///
  /// - Throws: ``CheckpointError`` if the file is damaged, contains anything but a flat dictionary of tensors, or is in
  ///   the format before PyTorch 1.6; `FileError` if it cannot be read.
  public init(contentsOf url: URL) throws {
    file = try ReadableFile(path: url.path)
    self.url = url
    let path = url.path
    if try file.bytes(in: 0..<1) == [0x80] {
      throw CheckpointError.unsupported(
        file: path,
        reason: "it is in the format before PyTorch 1.6; convert it with Python: torch.save(torch.load(path), path)")
    }
    let directory = try ZipDirectory(of: file)
    guard let pickle = directory.entries.first(where: { $0.key.hasSuffix("/data.pkl") || $0.key == "data.pkl" }) else {
      throw CheckpointError.malformed(
        file: path, reason: "the zip archive has no data.pkl, so torch.save did not write it")
    }
    let folder = pickle.key.dropLast("data.pkl".count)
    if let order = directory.entries[folder + "byteorder"], try file.bytes(in: order.prefix(16)) != Array("little".utf8)
    {
      throw CheckpointError.unsupported(
        file: path, reason: "its numbers are big-endian; save it again on a little-endian machine")
    }
    guard pickle.value.count <= Self.maximumPickleSize else {
      throw CheckpointError.malformed(
        file: path, reason: "the description of its tensors is too long, with \(pickle.value.count) bytes")
    }
    let described = try Self.describedTensors(try file.bytes(in: pickle.value), path: path)
    tensors = try Dictionary(
      uniqueKeysWithValues: described.map { name, tensor in
        let bytes = directory.entries["\(folder)data/\(tensor.storage.key)"]
        return (name, try StoredTensor(tensor, name: name, storageBytes: bytes, path: path))
      })
    names = described.map(\.0)
  }

  private static func describedTensors(_ pickle: [UInt8], path: String) throws -> [(String, PickleTensor)] {
    let value: PickleValue
    do {
      value = try PickleReader.read(pickle)
    } catch let error as PickleError {
      throw error.isForeign
        ? CheckpointError.unsupported(file: path, reason: error.reason)
        : CheckpointError.malformed(file: path, reason: error.reason)
    }
    guard case .dictionary(let dictionary) = value else {
      throw CheckpointError.unsupported(
        file: path, reason: "it contains \(value.kind) instead of a dictionary of tensors; save only the state_dict()")
    }
    var known: Set<String> = []
    return try dictionary.items.map { key, value in
      guard let name = key.string, known.insert(name).inserted else {
        throw CheckpointError.malformed(file: path, reason: "a tensor's name is \(key.kind) or occurs twice")
      }
      guard case .tensor(let tensor) = value else {
        throw CheckpointError.unsupported(
          file: path, tensor: name, reason: "it is \(value.kind), not a tensor; save only the state_dict()")
      }
      return (name, tensor)
    }
  }

  /// The type and shape of a tensor; nil if there is no tensor with that name.
  public func layout(of name: String) -> TensorLayout? { tensors[name]?.layout }

  /// Reads a tensor to the CPU in its stored type. Names that share elements in the file share one tensor as long as it
  /// exists.
  public func tensor(named name: String) throws -> Tensor {
    guard let stored = tensors[name] else { throw CheckpointError.missingTensor(name, file: url.path) }
    if let tensor = loaded[stored.place]?.tensor { return tensor }
    let tensor = Tensor.empty(stored.layout.shape, dtype: stored.layout.dtype)
    try read(name, into: tensor)
    loaded[stored.place] = WeakTensor(tensor: tensor)
    return tensor
  }

  /// Reads the elements of a tensor into another of the same shape; see ``TensorSource/read(_:into:)``.
  public func read(_ name: String, into destination: Tensor) throws {
    guard let stored = tensors[name] else { throw CheckpointError.missingTensor(name, file: url.path) }
    if stored.isRowMajor {
      let region = TensorRegion(name: name, layout: stored.layout, offset: stored.place.firstByte)
      try region.read(from: file, into: destination)
    } else {
      let span = Tensor.empty(stored.span.shape, dtype: stored.span.dtype)
      try TensorRegion(name: name, layout: stored.span, offset: stored.place.firstByte).read(from: file, into: span)
      let (shape, strides) = (stored.place.shape.map(Int64.init), stored.place.strides.map(Int64.init))
      let view = Tensor.make { ct_as_strided($0, span.handle, shape, strides, Int32(shape.count)) }
      withoutGradients { destination.detached().copy(from: view) }
    }
  }
}

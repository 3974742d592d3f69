import CALMSupport
import CTorch
import Foundation

/// A collection of named tensors on disk, read on demand.
public protocol TensorSource: AnyObject {
  /// The file or folder.
  var url: URL { get }
  /// The names of all tensors.
  var names: [String] { get }
  /// The type and shape of a tensor; nil if there is no tensor with that name.
  func layout(of name: String) -> TensorLayout?
  /// Reads a tensor to the CPU in its stored type.
  ///
  /// - Throws: ``CheckpointError`` or `FileError`.
  func tensor(named name: String) throws -> Tensor
  /// Reads the elements of a tensor into another of the same shape, converted to its type and device.
  ///
  /// For a contiguous destination, the extra memory does not grow with the tensor.
  ///
  /// - Precondition: `destination` has the shape of the tensor.
  /// - Throws: ``CheckpointError`` or `FileError`; the elements of `destination` are then undefined.
  func read(_ name: String, into destination: Tensor) throws
}

extension TensorSource {
  /// The shape of a tensor; nil if there is no tensor with that name.
  public func shape(of name: String) -> [Int]? { layout(of: name)?.shape }

  /// Reads a tensor to the CPU in its stored type.
  ///
  /// - Throws: ``CheckpointError`` or `FileError`.
  public func tensor(named name: String) throws -> Tensor {
    guard let layout = layout(of: name) else { throw CheckpointError.missingTensor(name, file: url.path) }
    let tensor = Tensor.empty(layout.shape, dtype: layout.dtype)
    try read(name, into: tensor)
    return tensor
  }
}

/// A tensor stored row-major in a file.
struct TensorRegion {
  let name: String
  let layout: TensorLayout
  /// The offset of the first byte.
  let offset: Int

  /// The number of elements converted at once, few enough to fit in the cache and to stay below libtorch's threshold
  /// for threading.
  private static let chunkCount = 1 << 15

  /// Reads the elements into a tensor of the same shape, converted to its type and device.
  func read(from file: ReadableFile, into destination: Tensor) throws {
    precondition(destination.shape == layout.shape, "\(name): \(layout) cannot be read into \(destination)")
    try withoutGradients {
      let target = destination.detached()
      if target.dtype == layout.dtype && target.device == .cpu && target.isContiguous {
        try readBytes(from: file, into: target, at: offset)
      } else {
        try convert(from: file, into: target)
      }
    }
  }

  /// Converts through a buffer of fixed size.
  private func convert(from file: ReadableFile, into target: Tensor) throws {
    let flat = target.contiguous().reshaped(layout.count)
    let step = min(layout.count, Self.chunkCount)
    let buffer = Tensor.empty([step], dtype: layout.dtype)
    for start in stride(from: 0, to: layout.count, by: max(1, step)) {
      let count = min(layout.count - start, step)
      let chunk = buffer.narrowed(0, 0..<count)
      try readBytes(from: file, into: chunk, at: offset + start * layout.dtype.size)
      flat.narrowed(0, start..<start + count).copy(from: chunk)
    }
    // For a target that is not contiguous, `flat` is a copy.
    if !target.isContiguous { target.copy(from: flat.reshaped(layout.shape)) }
  }

  /// Fills a contiguous CPU tensor of the stored type.
  private func readBytes(from file: ReadableFile, into tensor: Tensor, at offset: Int) throws {
    var address: UnsafeMutableRawPointer?
    check(ct_data(&address, tensor.handle))
    let buffer = UnsafeMutableRawBufferPointer(start: address, count: tensor.count * layout.dtype.size)
    let count = try withExtendedLifetime(tensor) { try file.read(into: buffer, at: offset) }
    ct_note_change(tensor.handle)
    guard count == buffer.count else {
      throw CheckpointError.malformed(file: file.path, tensor: name, reason: "the file ends within it")
    }
    if layout.dtype == .bool && buffer.contains(where: { $0 > 1 }) {
      throw CheckpointError.malformed(file: file.path, tensor: name, reason: "a boolean is neither 0 nor 1")
    }
  }
}

/// A tensor of a torch.save file whose description was checked against the bytes that are there.
struct StoredTensor {
  /// What decides the elements: two names with the same place are one tensor.
  struct Place: Hashable {
    let firstByte: Int
    let dtype: DType
    let shape: [Int]
    let strides: [Int]
  }

  let layout: TensorLayout
  let place: Place
  /// Whether the elements lie in the file as they do in a contiguous tensor.
  let isRowMajor: Bool
  /// All elements of the storage from the tensor's first to its last.
  let span: TensorLayout

  /// Checks that a described tensor lies within its storage, and the storage within the file.
  ///
  /// - Parameter storageBytes: where the storage's bytes are; nil where the archive has none.
  init(_ tensor: PickleTensor, name: String, storageBytes: Range<Int>?, path: String) throws {
    func malformed(_ reason: String) -> CheckpointError { .malformed(file: path, tensor: name, reason: reason) }
    let (storage, shape, strides) = (tensor.storage, tensor.shape, tensor.strides)
    guard let storageBytes else { throw malformed("its data \(CheckpointError.quoted(storage.key)) is missing") }
    guard TensorLayout(dtype: storage.dtype, shape: [storage.count])?.byteCount == storageBytes.count else {
      throw malformed("\(storageBytes.count) bytes for \(storage.count) elements of \(storage.dtype)")
    }
    guard let layout = TensorLayout(dtype: storage.dtype, shape: shape), strides.count == shape.count,
      strides.allSatisfy({ $0 >= 0 })
    else { throw malformed("its shape or strides are no list of possible lengths") }
    guard tensor.offset >= 0, tensor.offset <= storage.count,
      let spanCount = Self.spanCount(shape: shape, strides: strides), spanCount <= storage.count - tensor.offset,
      let span = TensorLayout(dtype: storage.dtype, shape: [spanCount])
    else {
      throw malformed("\(layout) from element \(tensor.offset) on is more than its data of \(storage.count) elements")
    }
    guard layout.count <= spanCount else {
      throw CheckpointError.unsupported(
        file: path, tensor: name, reason: "its elements are shared within it; save a contiguous() copy")
    }
    self.layout = layout
    self.span = span
    isRowMajor = Self.isRowMajor(shape: shape, strides: strides)
    place = Place(
      firstByte: storageBytes.lowerBound + tensor.offset * storage.dtype.size, dtype: storage.dtype, shape: shape,
      strides: strides)
  }

  /// How far the last element is from the first, plus one; nil where that overflows.
  private static func spanCount(shape: [Int], strides: [Int]) -> Int? {
    if shape.contains(0) { return 0 }
    var last = 0
    for (length, stride) in zip(shape, strides) {
      let (reach, reachOverflows) = (length - 1).multipliedReportingOverflow(by: stride)
      let (sum, sumOverflows) = last.addingReportingOverflow(reach)
      if reachOverflows || sumOverflows { return nil }
      last = sum
    }
    return last == .max ? nil : last + 1
  }

  private static func isRowMajor(shape: [Int], strides: [Int]) -> Bool {
    if shape.contains(0) { return true }
    var expected = 1
    for (length, stride) in zip(shape, strides).reversed() where length != 1 {
      if stride != expected { return false }
      expected *= length
    }
    return true
  }
}

/// A tensor of a torch.save file, checked against the stored bytes.
struct StoredTensor {
  /// The identity of the elements: names with equal places share one tensor.
  struct Place: Hashable {
    let firstByte: Int
    let dtype: DType
    let shape: [Int]
    let strides: [Int]
  }

  let layout: TensorLayout
  let place: Place
  /// Whether the elements are stored in row-major order without gaps.
  let isRowMajor: Bool
  /// The elements of the storage from the tensor's first to its last.
  let span: TensorLayout

  /// Checks that a tensor lies within its storage, and the storage within the file.
  ///
  /// - Parameter storageBytes: the byte range of the storage; nil if the archive lacks it.
  init(_ tensor: PickleTensor, name: String, storageBytes: Range<Int>?, path: String) throws {
    func malformed(_ reason: String) -> CheckpointError { .malformed(file: path, tensor: name, reason: reason) }
    let (storage, shape, strides) = (tensor.storage, tensor.shape, tensor.strides)
    guard let storageBytes else { throw malformed("its data \(CheckpointError.quoted(storage.key)) is missing") }
    guard TensorLayout(dtype: storage.dtype, shape: [storage.count])?.byteCount == storageBytes.count else {
      throw malformed(
        "its data has \(storageBytes.count) bytes instead of \(storage.count) elements of \(storage.dtype)")
    }
    guard let layout = TensorLayout(dtype: storage.dtype, shape: shape), strides.count == shape.count,
      strides.allSatisfy({ $0 >= 0 })
    else { throw malformed("its shape or strides are not lists of valid lengths") }
    guard tensor.offset >= 0, tensor.offset <= storage.count,
      let spanCount = Self.spanCount(shape: shape, strides: strides), spanCount <= storage.count - tensor.offset,
      let span = TensorLayout(dtype: storage.dtype, shape: [spanCount])
    else {
      throw malformed("\(layout) at offset \(tensor.offset) exceeds its data of \(storage.count) elements")
    }
    guard layout.count <= spanCount else {
      throw CheckpointError.unsupported(
        file: path, tensor: name, reason: "its elements overlap in memory; save a contiguous() copy")
    }
    self.layout = layout
    self.span = span
    isRowMajor = Self.isRowMajor(shape: shape, strides: strides)
    place = Place(
      firstByte: storageBytes.lowerBound + tensor.offset * storage.dtype.size, dtype: storage.dtype, shape: shape,
      strides: strides)
  }

  /// The distance from the first element to the last, plus one; nil on overflow.
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

import CALMSupport
import Foundation

extension TorchArchive {
  /// Writes tensors to a file atomically, as `torch.save` writes a state dictionary.
  ///
  /// A tensor with several names is stored once. Tensors are loaded one at a time.
  ///
  /// - Throws: `FileError`, or the error of a tensor's source; an existing file at `url` is then unchanged.
  public static func write(_ tensors: [TensorToWrite], to url: URL) throws {
    var pickle = StateDictionaryPickle()
    for (index, tensor) in tensors.enumerated() {
      for name in tensor.names { pickle.add(name, tensor.layout, storage: String(index)) }
    }
    var archive = ZipWriter(try AtomicFile(replacing: url.path))
    func add(_ name: String, _ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { try archive.add("archive/\(name)", $0) }
    }
    try add("data.pkl", pickle.finished())
    try add("byteorder", Array("little".utf8))
    for (index, tensor) in tensors.enumerated() {
      try tensor.withBytes { try archive.add("archive/data/\(index)", $0) }
    }
    try add("version", Array("3\n".utf8))
    try archive.finish()
  }
}

/// The pickle of a state dictionary, in protocol 2.
private struct StateDictionaryPickle {
  private var bytes: [UInt8] = [0x80, 2]

  init() {
    emptyDictionary()
    code("(")
  }

  /// Adds a row-major tensor that covers a whole storage.
  mutating func add(_ name: String, _ layout: TensorLayout, storage: String) {
    text(name)
    global("torch._utils", "_rebuild_tensor_v2")
    code("(")
    code("(")
    text("storage")
    global("torch", layout.dtype.storageClass)
    text(storage)
    text("cpu")
    integer(layout.count)
    code("t")
    code("Q")
    integer(0)
    integers(layout.shape)
    integers(strides(of: layout.shape))
    // requires_grad = False, and no hooks.
    bytes.append(0x89)
    emptyDictionary()
    code("t")
    code("R")
  }

  func finished() -> [UInt8] { bytes + Array("u.".utf8) }

  private func strides(of shape: [Int]) -> [Int] {
    var strides = [1]
    for length in shape.reversed() { strides.append(strides[strides.count - 1] * max(1, length)) }
    return strides.dropLast().reversed()
  }

  // The opcodes of Python's pickletools.
  private mutating func code(_ letter: Unicode.Scalar) { bytes.append(UInt8(ascii: letter)) }

  private mutating func global(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }

  private mutating func emptyDictionary() {
    global("collections", "OrderedDict")
    code(")")
    code("R")
  }

  private mutating func text(_ text: String) {
    code("X")
    bytes += low(UInt32(text.utf8.count)) + Array(text.utf8)
  }

  private mutating func integer(_ value: Int) { bytes += [0x8A, 8] + low(Int64(value)) }

  private mutating func integers(_ values: [Int]) {
    code("(")
    for value in values { integer(value) }
    code("t")
  }
}

extension DType {
  /// The PyTorch class that torch.save uses for storages of this type.
  var storageClass: String {
    switch self {
    case .bool: "BoolStorage"
    case .uint8: "ByteStorage"
    case .int32: "IntStorage"
    case .int64: "LongStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .float32: "FloatStorage"
    case .float64: "DoubleStorage"
    }
  }
}

/// Writes pickles in the format of torch.save, valid or invalid.
struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func code(_ codes: UInt8...) { bytes += codes }
  mutating func code(_ letter: Character) { bytes += Array(String(letter).utf8) }

  mutating func integer(_ value: Int) {
    bytes += [0x8A, 8]
    Swift.withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  mutating func text(_ text: String) {
    bytes += [UInt8(ascii: "X")]
    Swift.withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { bytes += $0 }
    bytes += text.utf8
  }

  mutating func global(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }

  mutating func integers(_ values: [Int]) {
    code("(")
    for value in values { integer(value) }
    code("t")
  }

  /// A float32 tensor, possibly with an invalid description.
  mutating func tensor(key: String = "0", count: Int, offset: Int = 0, shape: [Int], strides: [Int]) {
    global("torch._utils", "_rebuild_tensor_v2")
    code("(")
    code("(")
    text("storage")
    global("torch", "FloatStorage")
    text(key)
    text("cpu")
    integer(count)
    code("t")
    code("Q")
    integer(offset)
    integers(shape)
    integers(strides)
    code(0x89)
    global("collections", "OrderedDict")
    code(")")
    code("R")
    code("t")
    code("R")
  }

  /// A dictionary of the alternating keys and values that `body` writes.
  static func dictionary(_ body: (inout PickleWriter) -> Void) -> [UInt8] {
    var writer = PickleWriter()
    writer.code("}")
    writer.code("(")
    body(&writer)
    writer.code("u")
    writer.code(".")
    return writer.bytes
  }

  /// A dictionary with one tensor, `w`.
  static func one(key: String = "0", count: Int = 6, offset: Int = 0, shape: [Int], strides: [Int]) -> [UInt8] {
    dictionary {
      $0.text("w")
      $0.tensor(key: key, count: count, offset: offset, shape: shape, strides: strides)
    }
  }
}

/// The archive of a pickle and a storage `0` of the numbers 0, 1, …, 5 in float32.
func torchArchive(_ pickle: [UInt8], byteOrder: String? = "little", writer: ZipWriter = ZipWriter()) -> [UInt8] {
  var writer = writer
  writer.add("archive/data.pkl", pickle)
  if let byteOrder { writer.add("archive/byteorder", Array(byteOrder.utf8)) }
  writer.add("archive/data/0", (0..<6).flatMap { value in Swift.withUnsafeBytes(of: Float(value)) { Array($0) } })
  return writer.finished()
}

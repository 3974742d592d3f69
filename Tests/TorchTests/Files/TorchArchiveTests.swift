import Foundation
import Testing
import Torch

@Suite("Files of torch.save")
struct TorchArchiveTests {
  @Test("a torch.save file is read in every type, with transposed and strided tensors")
  func types() throws {
    let archive = try TorchArchive(contentsOf: fixture("types.bin"))
    let expected = try SafetensorsFile(contentsOf: fixture("types.safetensors"))
    #expect(Set(archive.names) == Set(expected.names))
    for name in expected.names {
      let (found, wanted) = (try archive.tensor(named: name), try expected.tensor(named: name))
      #expect(archive.layout(of: name) == TensorLayout(of: wanted), "\(name)")
      #expect(
        found.dtype == wanted.dtype && found.shape == wanted.shape && found.rawBytes == wanted.rawBytes, "\(name)")
    }
  }

  @Test("a tensor with two names in a torch.save file is loaded once")
  func sharing() throws {
    let archive = try TorchArchive(contentsOf: fixture("types.bin"))
    let tensor = try archive.tensor(named: "parameter")
    #expect(try archive.tensor(named: "tied").sharesStorage(with: tensor))
    #expect(try !archive.tensor(named: "int32").sharesStorage(with: tensor))
  }

  private func expectRefusal(_ words: String, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let folder = try ScratchFolder()
    let url = try folder.write(bytes, to: "a.bin")
    expectRefused(words, file: url.path, sourceLocation: sourceLocation) {
      let archive = try TorchArchive(contentsOf: url)
      for name in archive.names { _ = try archive.tensor(named: name) }
    }
  }

  @Test("a pickle with any other class than tensors throws an error with its name, and runs no code")
  func hostile() {
    expectRefused("'posix.system'", file: "hostile.bin") { _ = try TorchArchive(contentsOf: fixture("hostile.bin")) }
  }

  @Test("a file in the format before PyTorch 1.6 throws an error that explains the conversion")
  func legacy() {
    expectRefused("torch.save(torch.load(path), path)", file: "legacy.bin") {
      _ = try TorchArchive(contentsOf: fixture("legacy.bin"))
    }
  }

  private func expectRefusal(_ words: String, pickle: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws
  {
    try expectRefusal(words, torchArchive(pickle), sourceLocation: sourceLocation)
  }

  @Test("a torch.save file with anything but a flat dictionary of tensors throws an error with the entry")
  func content() throws {
    try expectRefusal(
      "tensor 'model' cannot be read: it is a dictionary",
      pickle: PickleWriter.dictionary {
        $0.text("model")
        $0.code("}")
      })
    try expectRefusal(
      "tensor 'epoch' cannot be read: it is an integer",
      pickle: PickleWriter.dictionary {
        $0.text("epoch")
        $0.integer(3)
      })
    try expectRefusal("instead of a dictionary", pickle: [0x80, 2] + Array("N.".utf8))
    try expectRefusal(
      "name is an integer",
      pickle: PickleWriter.dictionary {
        $0.integer(3)
        $0.tensor(count: 6, shape: [6], strides: [1])
      })
    try expectRefusal(
      "occurs twice",
      pickle: PickleWriter.dictionary {
        for _ in 0..<2 {
          $0.text("w")
          $0.tensor(count: 6, shape: [6], strides: [1])
        }
      })
    try expectRefusal("'torch.ShortStorage'", pickle: [0x80, 2] + Array("ctorch\nShortStorage\n.".utf8))
    try expectRefusal(
      "'builtins.eval'", pickle: [0x80, 4, 0x8C, 8] + Array("builtins".utf8) + [0x8C, 4] + Array("eval".utf8) + [0x93])
  }

  @Test("a torch.save file is read with its tensors' shapes, strides and offsets")
  func views() throws {
    func numbers(offset: Int, shape: [Int], strides: [Int]) throws -> [Double] {
      let folder = try ScratchFolder()
      let url = try folder.write(
        torchArchive(PickleWriter.one(offset: offset, shape: shape, strides: strides)), to: "a")
      let tensor = try TorchArchive(contentsOf: url).tensor(named: "w")
      #expect(tensor.shape == shape)
      return tensor.numbers
    }
    #expect(try numbers(offset: 0, shape: [2, 3], strides: [3, 1]) == [0, 1, 2, 3, 4, 5])
    #expect(try numbers(offset: 0, shape: [3, 2], strides: [1, 3]) == [0, 3, 1, 4, 2, 5])
    #expect(try numbers(offset: 1, shape: [2, 2], strides: [3, 1]) == [1, 2, 4, 5])
    #expect(try numbers(offset: 5, shape: [], strides: []) == [5])
    #expect(try numbers(offset: 6, shape: [0, 3], strides: [3, 1]) == [])
    #expect(try numbers(offset: 4, shape: [1, 1, 2], strides: [100, 7, 1]) == [4, 5])
  }

  @Test("a tensor that exceeds its data in a torch.save file throws an error")
  func lies() throws {
    try expectRefusal("24 bytes instead of 7 elements", pickle: PickleWriter.one(count: 7, shape: [6], strides: [1]))
    try expectRefusal("24 bytes instead of", pickle: PickleWriter.one(count: 1 << 62, shape: [6], strides: [1]))
    try expectRefusal("is missing", pickle: PickleWriter.one(key: "../0", shape: [6], strides: [1]))
    try expectRefusal("exceeds its data", pickle: PickleWriter.one(shape: [7], strides: [1]))
    try expectRefusal("exceeds its data", pickle: PickleWriter.one(offset: 1, shape: [6], strides: [1]))
    try expectRefusal("exceeds its data", pickle: PickleWriter.one(offset: -1, shape: [6], strides: [1]))
    try expectRefusal("exceeds its data", pickle: PickleWriter.one(shape: [2, 3], strides: [4, 1]))
    try expectRefusal("exceeds its data", pickle: PickleWriter.one(shape: [3], strides: [Int.max]))
    try expectRefusal("its shape or strides", pickle: PickleWriter.one(shape: [6], strides: [-1]))
    try expectRefusal("its shape or strides", pickle: PickleWriter.one(shape: [6], strides: [1, 1]))
    try expectRefusal("its shape or strides", pickle: PickleWriter.one(shape: [-6], strides: [1]))
    try expectRefusal("its shape or strides", pickle: PickleWriter.one(shape: [1 << 62, 1 << 62], strides: [0, 0]))
    try expectRefusal("contiguous()", pickle: PickleWriter.one(shape: [1 << 40], strides: [0]))
    try expectRefusal("contiguous()", pickle: PickleWriter.one(shape: [3, 3], strides: [1, 1]))
  }

  @Test("a pickle that nests, loops or accumulates values throws an error before it exhausts memory")
  func bombs() throws {
    func repeated(_ codes: String, _ count: Int) -> [UInt8] {
      [0x80, 2] + Array(String(repeating: codes, count: count).utf8)
    }
    try expectRefusal("nested", pickle: [0x80, 2] + Array(")".utf8) + [UInt8](repeating: 0x85, count: 1_000_000))
    try expectRefusal("too many values", pickle: repeated("N", 1_000_000))
    try expectRefusal("too many values", pickle: repeated("(", 1_000_000))
    try expectRefusal("the data ends early", pickle: repeated("}q\u{1}", 10))
    // A dictionary that contains itself a thousand times.
    let loop = [0x80, 2] + Array("}q\u{1}".utf8) + (0..<1000).flatMap { _ in Array("X\u{1}\0\0\0ah\u{1}s".utf8) }
    try expectRefusal("'a'", pickle: loop + Array(".".utf8))
    let chain = [0x80, 2] + Array("}".utf8) + (0..<60_000).flatMap { _ in Array("X\u{1}\0\0\0a}".utf8) }
    try expectRefusal("too many values", pickle: chain + [UInt8](repeating: UInt8(ascii: "s"), count: 60_000))
    try expectRefusal("the data ends early", pickle: [0x80, 2, UInt8(ascii: "X"), 0xFF, 0xFF, 0xFF, 0xFF])
    for codes in ["s", "R", "t", "u", "Q", "b", "h\u{7}", "q\u{1}", "(u", "}(Nu", "NN\u{86}R", "a", "0"] {
      try expectRefusal("", pickle: [0x80, 2] + Array(codes.utf8) + Array(".".utf8))
    }
  }

  @Test("a torch.save file truncated at any position throws an error")
  func truncation() throws {
    let whole = Array(try Data(contentsOf: fixture("types.bin")))
    for length in stride(from: 0, to: whole.count, by: 37) { try expectRefusal("", Array(whole.prefix(length))) }
  }

  @Test("zip archives with compression, false sizes or other contents throw an error")
  func archives() throws {
    let pickle = PickleWriter.one(shape: [6], strides: [1])
    try expectRefusal("compressed", torchArchive(pickle, writer: ZipWriter(method: 8)))
    try expectRefusal("outside the file", torchArchive(pickle, writer: ZipWriter(lie: 1 << 20)))
    try expectRefusal("big-endian", torchArchive(pickle, byteOrder: "big"))
    var other = ZipWriter()
    other.add("readme.txt", Array("hello".utf8))
    try expectRefusal("no data.pkl", other.finished())
    var twice = ZipWriter()
    for _ in 0..<2 { twice.add("archive/data.pkl", pickle) }
    try expectRefusal("occurs twice", twice.finished())
    try expectRefusal("zip directory", Array("PK\u{3}\u{4} and nothing more".utf8))
  }
}

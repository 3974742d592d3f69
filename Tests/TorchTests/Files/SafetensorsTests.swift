import CALMCorpus
import CALMSupport
import Foundation
import Testing
import Torch

@Suite("Safetensors files")
struct SafetensorsTests {
  /// Random bits of every type, including NaNs with payloads, infinities, −0 and subnormal numbers.
  private func everything() -> [String: Tensor] {
    var generator = SeededGenerator(seed: 1)
    var tensors: [String: Tensor] = [:]
    for dtype in DType.allCases {
      for shape in [[], [0], [3, 0, 2], [1], [5], [3, 7], [2, 3, 5]] {
        let bytes = generator.bytes(shape.reduce(dtype.size, *)).map { dtype == .bool ? $0 & 1 : $0 }
        tensors["\(dtype) \(shape) \"é\"\n"] = bytes.withUnsafeBytes { Tensor(bytes: $0, shape: shape, dtype: dtype) }
      }
    }
    let payload: [UInt32] = [0x7FC0_1234, 0xFFA0_0001, 0x8000_0000, 0x0000_0001]
    tensors["payload"] = payload.withUnsafeBytes { Tensor(bytes: $0, shape: [4], dtype: .float32) }
    return tensors
  }

  @Test("a safetensors file preserves every bit, in every type and shape")
  func roundTrip() throws {
    let folder = try ScratchFolder()
    let (tensors, notes) = (everything(), ["format": "pt", "a \"b\"\\\n\u{1}é": "漢"])
    try Safetensors.write(tensors, metadata: notes, to: folder("a"))
    let file = try SafetensorsFile(contentsOf: folder("a"))
    #expect(file.metadata == notes)
    #expect(Set(file.names) == Set(tensors.keys) && file.names.count == tensors.count)
    for (name, tensor) in tensors {
      let read = try file.tensor(named: name)
      #expect(read.dtype == tensor.dtype && read.shape == tensor.shape && read.rawBytes == tensor.rawBytes, "\(name)")
      #expect(file.layout(of: name) == TensorLayout(of: tensor))
    }
    #expect(try folder.names() == ["a"])
  }

  @Test("a safetensors file is aligned and does not depend on the order of its tensors")
  func stability() throws {
    let folder = try ScratchFolder()
    try Safetensors.write(everything(), to: folder("a"))
    try Safetensors.write(Dictionary(uniqueKeysWithValues: everything().shuffled()), to: folder("b"))
    #expect(try Data(contentsOf: folder("a")) == Data(contentsOf: folder("b")))
    let file = try SafetensorsFile(contentsOf: folder("a"))
    for name in file.names {
      let entry = try #require(file.entry(named: name))
      #expect(entry.bytes.lowerBound % entry.layout.dtype.size == 0)
      #expect(entry.bytes.count == entry.layout.byteCount)
    }
  }

  @Test("a safetensors file may contain no tensors")
  func empty() throws {
    let folder = try ScratchFolder()
    try Safetensors.write([:], to: folder("a"))
    #expect(try Array(Data(contentsOf: folder("a"))) == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
    #expect(try SafetensorsFile(contentsOf: folder("a")).names == [])
  }

  @Test("tensors that are not contiguous or require gradients are written in row-major order")
  func views() throws {
    let folder = try ScratchFolder()
    let x = Tensor.range(0..<12, dtype: .float32).reshaped(3, 4)
    try Safetensors.write(["t": x.transposed(), "n": x.narrowed(1, 1..<3), "p": x.leaf(.float32)], to: folder("a"))
    let file = try SafetensorsFile(contentsOf: folder("a"))
    #expect(try file.tensor(named: "t").numbers == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    #expect(try file.tensor(named: "n").numbers == [1, 2, 5, 6, 9, 10])
    #expect(try file.tensor(named: "p").numbers == x.numbers)
  }

  @Test("a safetensors file of the reference implementation is rewritten to the same bytes")
  func reference() throws {
    let folder = try ScratchFolder()
    let file = try SafetensorsFile(contentsOf: fixture("types.safetensors"))
    #expect(file.metadata == ["format": "pt"])
    #expect(try file.tensor(named: "transposed").numbers == [0, 3, 1, 4, 2, 5])
    #expect(try file.tensor(named: "int32").elements(as: Int32.self) == [-1, .max])
    #expect(try file.tensor(named: "bfloat16").item() == 1.5)
    let tensors = try Dictionary(uniqueKeysWithValues: file.names.map { ($0, try file.tensor(named: $0)) })
    try Safetensors.write(tensors, metadata: file.metadata, to: folder("a"))
    #expect(try Data(contentsOf: folder("a")) == Data(contentsOf: fixture("types.safetensors")))
  }

  @Test(
    "reading into a tensor converts to its type, for any memory layout",
    arguments: [DType.float64, .float16, .bfloat16])
  func conversion(dtype: DType) throws {
    let folder = try ScratchFolder()
    // More than one buffer of 32,768 elements, and not a multiple of it.
    let x = Generator(seed: 1).normal([3, 35_001]).to(dtype)
    try Safetensors.write(["x": x], to: folder("a"))
    let file = try SafetensorsFile(contentsOf: folder("a"))
    let (plain, transposed) = (Tensor.empty([3, 35_001]).leaf(.float32), Tensor.empty([35_001, 3]))
    try file.read("x", into: plain)
    try file.read("x", into: transposed.transposed())
    #expect(plain.rawBytes == x.to(.float32).rawBytes && plain.requiresGradient)
    #expect(transposed.transposed().rawBytes == x.to(.float32).rawBytes)
  }

  @Test("writing a safetensors file to a full disk leaves the old file unchanged")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      let folder = try ScratchFolder()
      try Safetensors.write(["x": .zeros([10])], to: folder("a"))
      let before = try Data(contentsOf: folder("a"))
      // A limit on file sizes simulates a full disk: the write that exceeds it fails.
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 50_000, rlim_max: 50_000)
      #if canImport(Glibc)
        let resource = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
      #else
        let resource = RLIMIT_FSIZE
      #endif
      try #require(setrlimit(resource, &limit) == 0)
      #expect(throws: FileError("write", folder("a").path, code: EFBIG)) {
        try Safetensors.write(["x": .zeros([100_000])], to: folder("a"))
      }
      #expect(try Data(contentsOf: folder("a")) == before)
      #expect(try folder.names() == ["a"])
    }
  }
}

import Foundation
import Testing
import Torch

private final class Model: Module {
  @Submodule("first") var first: Linear
  @Submodule("norm") var norm: RMSNorm

  init(seed: UInt64, dtype: DType = .float32) {
    first = Linear(3, 2, generator: Generator(seed: seed))
    norm = RMSNorm(4)
    convert(to: dtype)
  }

  func tensors(prefix: String = "") -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: namedParameters(prefix: prefix).map { ($0.name, $0.tensor) })
  }
}

@Suite("Loading of modules")
struct ModuleLoadingTests {
  private func reader(_ tensors: [String: Tensor], in folder: ScratchFolder) throws -> CheckpointReader {
    try Safetensors.write(tensors, to: folder("model.safetensors"))
    return try CheckpointReader(folder.url)
  }

  @Test(
    "loading copies a file's values into the existing parameters, converted to their types",
    arguments: [DType.float32, .bfloat16, .float64], [DType.float32, .bfloat16])
  func values(stored: DType, own: DType) throws {
    let folder = try ScratchFolder()
    let (source, model) = (Model(seed: 1, dtype: stored), Model(seed: 2, dtype: own))
    let before = model.namedParameters().map { $0.tensor }
    try model.load(from: reader(source.tensors(), in: folder))
    for (old, (parameter, wanted)) in zip(before, zip(model.namedParameters(), source.namedParameters())) {
      #expect(parameter.tensor.rawBytes == wanted.tensor.to(own).rawBytes)
      #expect(parameter.tensor === old && parameter.tensor.requiresGradient)
    }
  }

  @Test("loading with a prefix reads part of a file, and skips tensors with ignored prefixes")
  func parts() throws {
    let folder = try ScratchFolder()
    let (source, model) = (Model(seed: 1), Model(seed: 2))
    var tensors = source.tensors(prefix: "inner.")
    tensors["outer.weight"] = .zeros([1])
    tensors["inner.head.weight"] = .zeros([1])
    let reader = try reader(tensors, in: folder)
    try model.load(from: reader, prefix: "inner.", ignoring: ["head."])
    #expect(model.first.weight.numbers == source.first.weight.numbers)
    #expect(
      throws: CheckpointError.mismatch(
        file: folder("model.safetensors").path, ParameterMismatch(unexpected: ["inner.head.weight"]))
    ) { try model.load(from: reader, prefix: "inner.") }
  }

  @Test("loading a mismatched file reports all differences in one line, and changes nothing")
  func differences() throws {
    let folder = try ScratchFolder()
    let model = Model(seed: 2)
    let before = model.namedParameters().map { $0.tensor.rawBytes }
    var tensors = Model(seed: 1).tensors()
    tensors["first.weight"] = .zeros([2, 4])
    tensors["norm.weight"] = .zeros([4], dtype: .int64)
    tensors["first.bias"] = nil
    for index in 0..<5 { tensors["extra.\(index)"] = .zeros([1]) }
    let reader = try reader(tensors, in: folder)
    expectRefused(
      "1 missing: 'first.bias'; 5 unexpected: 'extra.0', 'extra.1', 'extra.2' and 2 more; 2 different: "
        + "'first.weight' is float32 [2, 4], the model needs [2, 3], "
        + "'norm.weight' is int64 [4], the model needs float32 [4]",
      file: folder("model.safetensors").path
    ) { try model.load(from: reader) }
    #expect(model.namedParameters().map { $0.tensor.rawBytes } == before)
  }

  #if os(Linux)
    @Test(
      "loading a model needs less than 1.3 times the file's size in memory",
      .enabled(if: runsLongTests, "runs only with CALM_LONG_TESTS=1"))
    func memory() async {
      await #expect(processExitsWith: .success) {
        func kilobytes(_ key: String) throws -> Int {
          let lines = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(separator: "\n")
          let line = try #require(lines.first { $0.hasPrefix(key) })
          return try #require(Int(line.filter(\.isNumber)))
        }
        let folder = try ScratchFolder()
        // Zeros without their own storage, so that writing does not raise this process's peak memory.
        let zero = Tensor(0).expanded(1 << 20)
        var names: [String] = []
        for shard in 0..<6 {
          let header = #"{"w\#(shard)":{"dtype":"F32","shape":[16777216],"data_offsets":[0,67108864]}}"#
          let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
          let url = try folder.write(length + Array(header.utf8), to: "\(shard).safetensors")
          try FileHandle(forWritingTo: url).truncate(atOffset: UInt64(8 + header.utf8.count + 67_108_864))
          names.append("\"w\(shard)\":\"\(shard).safetensors\"")
        }
        try folder.write(
          Array("{\"weight_map\":{\(names.joined(separator: ","))}}".utf8), to: "model.safetensors.index.json")
        let before = try kilobytes("VmRSS:")
        let reader = try CheckpointReader(folder.url)
        let tensors = try reader.names.map { try reader.tensor(named: $0) }
        #expect(tensors.allSatisfy { $0.narrowed(0, 0..<(1 << 20)).equals(zero).all() })
        #expect(Double(try kilobytes("VmHWM:") - before) < 1.3 * 6 * 65_536)
      }
    }
  #endif
}

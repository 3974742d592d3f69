import Foundation
import Testing
import Torch

@Suite("Checkpoints")
struct CheckpointReaderTests {
  private func write(_ tensors: [String: Tensor], to url: URL) throws { try Safetensors.write(tensors, to: url) }

  private func index(_ map: String) -> [UInt8] { Array(#"{"metadata":{"total_size":8},"weight_map":\#(map)}"#.utf8) }

  /// Two shards with `a` and `b`, without their index.
  private func shards() throws -> ScratchFolder {
    let folder = try ScratchFolder()
    try write(["a": Tensor([1] as [Float])], to: folder("s1.safetensors"))
    try write(["b": Tensor([2, 3] as [Float])], to: folder("s2.safetensors"))
    return folder
  }

  @Test("a checkpoint reader finds weights under each known name in a folder, and as single files")
  func forms() throws {
    let folder = try ScratchFolder()
    try write(["a": Tensor([1] as [Float])], to: folder("model.safetensors"))
    for url in [folder.url, folder("model.safetensors")] {
      let reader = try CheckpointReader(url)
      #expect(reader.names == ["a"] && reader.shape(of: "a") == [1] && reader.layout(of: "b") == nil)
      #expect(try reader.tensor(named: "a").numbers == [1])
      #expect(throws: CheckpointError.missingTensor("b", file: folder("model.safetensors").path)) {
        try reader.tensor(named: "b")
      }
    }
    let other = try ScratchFolder()
    try FileManager.default.copyItem(at: fixture("types.bin"), to: other("pytorch_model.bin"))
    #expect(try CheckpointReader(other.url).tensor(named: "bfloat16").item() == 1.5)
    // The content determines the format if the name does not.
    try FileManager.default.copyItem(at: fixture("types.bin"), to: other("weights"))
    #expect(try CheckpointReader(other("weights")).names.count == 11)
  }

  @Test("a checkpoint reader reads shards of both formats through their index")
  func sharded() throws {
    let folder = try shards()
    try folder.write(index(#"{"a":"s1.safetensors","b":"s2.safetensors"}"#), to: "model.safetensors.index.json")
    let reader = try CheckpointReader(folder.url)
    #expect(reader.names == ["a", "b"])
    #expect(try reader.tensor(named: "b").numbers == [2, 3])
    let target = Tensor.zeros([2], dtype: .float64)
    try reader.read("b", into: target)
    #expect(target.numbers == [2, 3])

    let other = try ScratchFolder()
    try FileManager.default.createDirectory(at: other("parts"), withIntermediateDirectories: true)
    try other.write(torchArchive(PickleWriter.one(shape: [6], strides: [1])), to: "parts/one.bin")
    try other.write(index(#"{"w":"parts/one.bin"}"#), to: "pytorch_model.bin.index.json")
    #expect(try CheckpointReader(other.url).tensor(named: "w").numbers == [0, 1, 2, 3, 4, 5])
  }

  @Test("opening a folder without weights throws an error with the known names")
  func nothing() throws {
    let folder = try ScratchFolder()
    #expect(throws: CheckpointError.noWeights(folder: folder.url.path, lookedFor: CheckpointReader.fileNames)) {
      _ = try CheckpointReader(folder.url)
    }
    expectRefused("No such file", file: "none") { _ = try CheckpointReader(folder("none")) }
  }

  private func expectRefusal(
    _ words: String, index bytes: [UInt8], in folder: ScratchFolder, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try folder.write(bytes, to: "model.safetensors.index.json")
    expectRefused(words, file: folder.url.path, sourceLocation: sourceLocation) {
      _ = try CheckpointReader(folder.url)
    }
  }

  @Test("shards that are missing or contradict their index throw an error")
  func disagreement() throws {
    let folder = try shards()
    try expectRefusal("'s3.safetensors', which does not exist", index: index(#"{"a":"s3.safetensors"}"#), in: folder)
    try expectRefusal(
      "'c' is damaged: it is not in 's2.safetensors'",
      index: index(#"{"a":"s1.safetensors","b":"s2.safetensors","c":"s2.safetensors"}"#), in: folder)
    try expectRefusal(
      "'b' is damaged: it is not in 's1.safetensors'", index: index(#"{"a":"s1.safetensors","b":"s1.safetensors"}"#),
      in: folder)
    try write(["a": Tensor(1), "b": Tensor(2)], to: folder("s2.safetensors"))
    try expectRefusal(
      "'a' is damaged: it belongs to 's1.safetensors', but is in 's2.safetensors'",
      index: index(#"{"a":"s1.safetensors","b":"s2.safetensors"}"#), in: folder)
    try expectRefusal("but not in the index", index: index(#"{"b":"s2.safetensors"}"#), in: folder)
    try folder.write(Array("nonsense".utf8), to: "s1.safetensors")
    try expectRefusal("s1.safetensors is damaged", index: index(#"{"a":"s1.safetensors"}"#), in: folder)
  }

  @Test(
    "an index that lists files outside its folder throws an error",
    arguments: [
      "../s1.safetensors", "/etc/passwd", "a/../../s1.safetensors", "", ".", "..", "a//b", "./s1", "a\\..\\b", "a\u{0}",
    ])
  func escape(path: String) throws {
    let folder = try shards()
    let text = String(decoding: try JSONEncoder().encode(["a": path]), as: UTF8.self)
    try expectRefusal("is outside this folder", index: index(text), in: folder)
  }

  @Test("an index in any other form of JSON throws an error")
  func form() throws {
    let folder = try shards()
    for text in ["", "[]", "{}", #"{"weight_map":[]}"#, #"{"weight_map":{"a":3}}"#, "{\"weight_map\":{\"a\":"] {
      try expectRefusal("model.safetensors.index.json", index: Array(text.utf8), in: folder)
    }
    try expectRefusal("deep", index: Array(String(repeating: "{\"a\":", count: 100_000).utf8), in: folder)
    try expectRefusal("occurs twice", index: index(#"{"a":"s1.safetensors","a":"s2.safetensors"}"#), in: folder)
    // An index that lists itself fails like any other shard that is not a safetensors file.
    let itself = "model.safetensors.index.json"
    try expectRefusal("is damaged", index: index("{\"a\":\"\(itself)\"}"), in: folder)
  }
}

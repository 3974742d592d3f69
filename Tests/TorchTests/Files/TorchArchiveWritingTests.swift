import Foundation
import Testing
import Torch

@Suite("Writing files as torch.save does")
struct TorchArchiveWritingTests {
  @Test("a written torch.save file is read back, in every type and shape")
  func roundTrip() throws {
    let folder = try ScratchFolder()
    let base = Generator(seed: 1).normal([4, 3]) * 10
    var tensors = DType.allCases.map { dtype in (dtype.rawValue, base.to(dtype)) }
    tensors += [
      ("scalar", Tensor(3)), ("empty", Tensor.zeros([0, 5])), ("transposed", base.transposed(0, 1)),
      ("a 'quoted' name\n", base),
    ]
    try TorchArchive.write(tensors.map { TensorToWrite($0.1, names: [$0.0]) }, to: folder("a.bin"))
    let archive = try TorchArchive(contentsOf: folder("a.bin"))
    #expect(archive.names == tensors.map(\.0))
    for (name, tensor) in tensors {
      let found = try archive.tensor(named: name)
      #expect(found.dtype == tensor.dtype && found.shape == tensor.shape, "\(name)")
      #expect(found.equals(tensor).all() || tensor.count == 0, "\(name)")
    }
    #expect(try folder.names() == ["a.bin"])
  }

  @Test("a torch.save file stores a tensor with several names once, and is reproducible")
  func shared() throws {
    let folder = try ScratchFolder()
    let tensor = Generator(seed: 2).normal([100, 100])
    try TorchArchive.write([TensorToWrite(tensor, names: ["a", "b"])], to: folder("a.bin"))
    try TorchArchive.write([TensorToWrite(tensor, names: ["a", "b"])], to: folder("b.bin"))
    let bytes = try Data(contentsOf: folder("a.bin"))
    #expect(bytes.count < 42_000)
    #expect(try bytes == Data(contentsOf: folder("b.bin")))
    let archive = try TorchArchive(contentsOf: folder("a.bin"))
    let (one, other) = (try archive.tensor(named: "a"), try archive.tensor(named: "b"))
    #expect(one === other)
    // safetensors stores it twice.
    try Safetensors.write([TensorToWrite(tensor, names: ["a", "b"])], to: folder("a.safetensors"))
    #expect(try SafetensorsFile(contentsOf: folder("a.safetensors")).names == ["a", "b"])
  }

  @Test("tensors of another file are read when they are written, and a missing one gives nil")
  func copied() throws {
    let folder = try ScratchFolder()
    try Safetensors.write(["w": Tensor([1, 2] as [Float]).to(.bfloat16)], to: folder("a.safetensors"))
    let source = try SafetensorsFile(contentsOf: folder("a.safetensors"))
    if TensorToWrite("v", of: source, names: ["v"]) != nil { Issue.record("a missing tensor must give nil") }
    let tensor = try #require(TensorToWrite("w", of: source, names: ["v"]))
    try TorchArchive.write([tensor], to: folder("b.bin"))
    #expect(try TorchArchive(contentsOf: folder("b.bin")).layout(of: "v")?.description == "bfloat16 [2]")
  }
}

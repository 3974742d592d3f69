import Foundation
import Testing
import Torch

@Suite("Damaged safetensors files")
struct SafetensorsErrorTests {
  private func file(_ header: String, data: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: data)
  }

  private func described(_ shape: String, _ start: Int, _ end: Int, dtype: String = "F32") -> String {
    #"{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":[\#(start),\#(end)]}"#
  }

  private func expectRefusal(_ words: String, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let folder = try ScratchFolder()
    let url = try folder.write(bytes, to: "a.safetensors")
    expectRefused(words, file: url.path, sourceLocation: sourceLocation) {
      _ = try SafetensorsFile(contentsOf: url)
    }
  }

  @Test("a safetensors header that is truncated, too long or not a JSON object throws an error")
  func header() throws {
    try expectRefusal("too few for a header", [])
    try expectRefusal("too few for a header", [1, 0, 0])
    try expectRefusal("the header claims 18446744073709551615 bytes", [UInt8](repeating: 0xFF, count: 8) + [0x7B])
    try expectRefusal("the header claims 3 bytes in a file of 10", [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D])
    try expectRefusal("does not begin with '{'", [0, 0, 0, 0, 0, 0, 0, 0])
    try expectRefusal("does not begin with '{'", file(" {}", data: 0))
    try expectRefusal("not JSON", file("{\"a\"", data: 0))
    try expectRefusal("not JSON", file("{}{}", data: 0))
    try expectRefusal("not JSON", file("{\"a\":\"\\ud800\"}", data: 0))
    try expectRefusal("deep", file("{\"a\":" + String(repeating: "[", count: 100_000), data: 0))
  }

  @Test("a safetensors header above the limit of the format throws an error before it is read")
  func longHeader() throws {
    let folder = try ScratchFolder()
    let url = try folder.write(withUnsafeBytes(of: UInt64(100_000_001).littleEndian) { Array($0) }, to: "a.safetensors")
    let handle = try FileHandle(forWritingTo: url)
    try handle.truncate(atOffset: 100_000_100)
    expectRefused("the header claims 100000001 bytes", file: url.path) {
      _ = try SafetensorsFile(contentsOf: url)
    }
  }

  @Test("a safetensors entry with anything but dtype, shape and offsets throws an error")
  func fields() throws {
    try expectRefusal("tensor 'a' is damaged", file(#"{"a":3}"#, data: 0))
    try expectRefusal(
      "must contain exactly dtype, shape and data_offsets", file(#"{"a":{"dtype":"F32","shape":[]}}"#, data: 0))
    try expectRefusal(
      "must contain exactly dtype, shape and data_offsets",
      file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}"#, data: 4))
    try expectRefusal(
      "must contain exactly dtype, shape and data_offsets",
      file(#"{"a":{"dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4]}}"#, data: 4))
    try expectRefusal("'F8_E5M2' is not one of", file("{\"a\":\(described("[4]", 0, 4, dtype: "F8_E5M2"))}", data: 4))
    for shape in ["[-1]", "[1.5]", "[1e999]", "[\"1\"]", "3", "[[1]]", "[99999999999999999999]"] {
      try expectRefusal(
        shape == "[1e999]" ? "" : "its shape", file("{\"a\":\(described(shape, 0, 4))}", data: 4))
    }
  }

  @Test("a safetensors shape whose size overflows throws an error")
  func overflow() throws {
    try expectRefusal("its shape", file("{\"a\":\(described("[4611686018427387904,4]", 0, 0))}", data: 0))
    try expectRefusal(
      "its shape", file("{\"a\":\(described("[9223372036854775807,9223372036854775807,0]", 0, 0))}", data: 0))
    let many = "[" + Array(repeating: "1", count: 65).joined(separator: ",") + "]"
    try expectRefusal("its shape", file("{\"a\":\(described(many, 0, 4))}", data: 4))
  }

  @Test("safetensors offsets that leave the file, overlap or leave gaps throw an error")
  func offsets() throws {
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 0, 8))}", data: 7))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 8, 0))}", data: 8))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", -8, 0))}", data: 8))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 0, Int.max))}", data: 8))
    try expectRefusal("8 bytes, but float32 [3] needs 12", file("{\"a\":\(described("[3]", 0, 8))}", data: 8))
    try expectRefusal(
      "tensor 'b' is damaged: it overlaps",
      file("{\"a\":\(described("[2]", 0, 8)),\"b\":\(described("[1]", 4, 8))}", data: 8))
    try expectRefusal(
      "tensor 'b' is damaged: unused bytes",
      file("{\"a\":\(described("[1]", 0, 4)),\"b\":\(described("[1]", 8, 12))}", data: 12))
    try expectRefusal("unused bytes", file("{\"a\":\(described("[1]", 4, 8))}", data: 8))
    try expectRefusal("3 unused bytes follow the last tensor", file("{\"a\":\(described("[1]", 0, 4))}", data: 7))
  }

  @Test("duplicate names and metadata other than strings in a safetensors file throw an error")
  func duplicates() throws {
    try expectRefusal(
      "contains it twice", file("{\"a\":\(described("[0]", 0, 0)),\"a\":\(described("[0]", 0, 0))}", data: 0))
    try expectRefusal("__metadata__", file(#"{"__metadata__":3}"#, data: 0))
    try expectRefusal("'n' in __metadata__", file(#"{"__metadata__":{"n":3}}"#, data: 0))
  }

  @Test("reading a boolean other than 0 or 1 from a safetensors file throws an error")
  func booleans() throws {
    let folder = try ScratchFolder()
    let url = try folder.write(
      file("{\"a\":\(described("[2]", 0, 2, dtype: "BOOL"))}", data: 1) + [2], to: "a.safetensors")
    let opened = try SafetensorsFile(contentsOf: url)
    expectRefused("tensor 'a' is damaged", file: url.path) { _ = try opened.tensor(named: "a") }
  }

  @Test("a safetensors file truncated after it was opened throws an error")
  func truncation() throws {
    let folder = try ScratchFolder()
    try Safetensors.write(["a": .zeros([10_000])], to: folder("a"))
    let opened = try SafetensorsFile(contentsOf: folder("a"))
    try FileHandle(forWritingTo: folder("a")).truncate(atOffset: 1_000)
    expectRefused("the file ends within it", file: folder("a").path) { _ = try opened.tensor(named: "a") }
  }

  @Test("opening a missing safetensors file or a folder and reading an unknown name throw errors")
  func absence() throws {
    let folder = try ScratchFolder()
    expectRefused("No such file", file: "none") { _ = try SafetensorsFile(contentsOf: folder("none")) }
    expectRefused("directory", file: folder.url.path) { _ = try SafetensorsFile(contentsOf: folder.url) }
    try Safetensors.write([:], to: folder("a"))
    let opened = try SafetensorsFile(contentsOf: folder("a"))
    #expect(throws: CheckpointError.missingTensor("x", file: folder("a").path)) { try opened.tensor(named: "x") }
  }
}

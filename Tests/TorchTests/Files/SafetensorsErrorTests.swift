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

  @Test("a header that is cut short, too long or no JSON object is refused")
  func header() throws {
    try expectRefusal("too few for a header", [])
    try expectRefusal("too few for a header", [1, 0, 0])
    try expectRefusal("a header of 18446744073709551615 bytes", [UInt8](repeating: 0xFF, count: 8) + [0x7B])
    try expectRefusal("a header of 3 bytes in a file of 10", [3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D])
    try expectRefusal("does not begin with '{'", [0, 0, 0, 0, 0, 0, 0, 0])
    try expectRefusal("does not begin with '{'", file(" {}", data: 0))
    try expectRefusal("not JSON", file("{\"a\"", data: 0))
    try expectRefusal("not JSON", file("{}{}", data: 0))
    try expectRefusal("not JSON", file("{\"a\":\"\\ud800\"}", data: 0))
    try expectRefusal("deep", file("{\"a\":" + String(repeating: "[", count: 100_000), data: 0))
  }

  @Test("a header longer than the format allows is refused unread")
  func longHeader() throws {
    let folder = try ScratchFolder()
    let url = try folder.write(withUnsafeBytes(of: UInt64(100_000_001).littleEndian) { Array($0) }, to: "a.safetensors")
    let handle = try FileHandle(forWritingTo: url)
    try handle.truncate(atOffset: 100_000_100)
    expectRefused("a header of 100000001 bytes", file: url.path) {
      _ = try SafetensorsFile(contentsOf: url)
    }
  }

  @Test("an entry that is not dtype, shape and offsets is refused")
  func fields() throws {
    try expectRefusal("tensor 'a' is damaged", file(#"{"a":3}"#, data: 0))
    try expectRefusal("not just dtype, shape", file(#"{"a":{"dtype":"F32","shape":[]}}"#, data: 0))
    try expectRefusal(
      "not just dtype", file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}"#, data: 4))
    try expectRefusal(
      "not just dtype", file(#"{"a":{"dtype":"F32","shape":[],"shape":[],"data_offsets":[0,4]}}"#, data: 4))
    try expectRefusal("'F8_E5M2' is not one of", file("{\"a\":\(described("[4]", 0, 4, dtype: "F8_E5M2"))}", data: 4))
    for shape in ["[-1]", "[1.5]", "[1e999]", "[\"1\"]", "3", "[[1]]", "[99999999999999999999]"] {
      try expectRefusal(
        shape == "[1e999]" ? "" : "its shape", file("{\"a\":\(described(shape, 0, 4))}", data: 4))
    }
  }

  @Test("a shape whose size overflows is refused")
  func overflow() throws {
    try expectRefusal("its shape", file("{\"a\":\(described("[4611686018427387904,4]", 0, 0))}", data: 0))
    try expectRefusal(
      "its shape", file("{\"a\":\(described("[9223372036854775807,9223372036854775807,0]", 0, 0))}", data: 0))
    let many = "[" + Array(repeating: "1", count: 65).joined(separator: ",") + "]"
    try expectRefusal("its shape", file("{\"a\":\(described(many, 0, 4))}", data: 4))
  }

  @Test("offsets outside the file, overlapping, or with unused bytes between are refused")
  func offsets() throws {
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 0, 8))}", data: 7))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 8, 0))}", data: 8))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", -8, 0))}", data: 8))
    try expectRefusal("outside the file", file("{\"a\":\(described("[2]", 0, Int.max))}", data: 8))
    try expectRefusal("8 bytes for float32 [3]", file("{\"a\":\(described("[3]", 0, 8))}", data: 8))
    try expectRefusal(
      "tensor 'b' is damaged: it overlaps",
      file("{\"a\":\(described("[2]", 0, 8)),\"b\":\(described("[1]", 4, 8))}", data: 8))
    try expectRefusal(
      "tensor 'b' is damaged: unused bytes",
      file("{\"a\":\(described("[1]", 0, 4)),\"b\":\(described("[1]", 8, 12))}", data: 12))
    try expectRefusal("unused bytes", file("{\"a\":\(described("[1]", 4, 8))}", data: 8))
    try expectRefusal("3 bytes after the last tensor", file("{\"a\":\(described("[1]", 0, 4))}", data: 7))
  }

  @Test("a name that stands twice, and metadata that is no text, are refused")
  func duplicates() throws {
    try expectRefusal(
      "has it twice", file("{\"a\":\(described("[0]", 0, 0)),\"a\":\(described("[0]", 0, 0))}", data: 0))
    try expectRefusal("__metadata__", file(#"{"__metadata__":3}"#, data: 0))
    try expectRefusal("'n' in __metadata__", file(#"{"__metadata__":{"n":3}}"#, data: 0))
  }

  @Test("a boolean that is neither 0 nor 1 is refused when it is read")
  func booleans() throws {
    let folder = try ScratchFolder()
    let url = try folder.write(
      file("{\"a\":\(described("[2]", 0, 2, dtype: "BOOL"))}", data: 1) + [2], to: "a.safetensors")
    let opened = try SafetensorsFile(contentsOf: url)
    expectRefused("tensor 'a' is damaged", file: url.path) { _ = try opened.tensor(named: "a") }
  }

  @Test("a file cut short after it was opened is an error, not a crash")
  func truncation() throws {
    let folder = try ScratchFolder()
    try Safetensors.write(["a": .zeros([10_000])], to: folder("a"))
    let opened = try SafetensorsFile(contentsOf: folder("a"))
    try FileHandle(forWritingTo: folder("a")).truncate(atOffset: 1_000)
    expectRefused("the file ends within it", file: folder("a").path) { _ = try opened.tensor(named: "a") }
  }

  @Test("a missing file, a folder and an unknown name are errors")
  func absence() throws {
    let folder = try ScratchFolder()
    expectRefused("No such file", file: "none") { _ = try SafetensorsFile(contentsOf: folder("none")) }
    expectRefused("directory", file: folder.url.path) { _ = try SafetensorsFile(contentsOf: folder.url) }
    try Safetensors.write([:], to: folder("a"))
    let opened = try SafetensorsFile(contentsOf: folder("a"))
    #expect(throws: CheckpointError.missingTensor("x", file: folder("a").path)) { try opened.tensor(named: "x") }
  }
}

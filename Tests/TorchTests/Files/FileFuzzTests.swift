import CALMCorpus
import CALMSupport
import Foundation
import Testing
import Torch

/// Randomly damaged files are read or rejected with one line, without crashes.
@Suite("Randomly damaged files")
struct FileFuzzTests {
  private static let rounds = runsLongTests ? 20_000 : 300

  private func expectNoCrash(
    _ original: [UInt8], name: String, seed: UInt64, snippets: [String], in folder: ScratchFolder
  ) throws -> (read: Int, refused: Int) {
    var generator = SeededGenerator(seed: seed)
    var counts = (read: 0, refused: 0)
    for _ in 0..<Self.rounds {
      let url = try folder.write(generator.mutated(original, snippets: snippets), to: name)
      do {
        let reader = try CheckpointReader(url)
        for name in reader.names {
          let tensor = try reader.tensor(named: name)
          #expect(TensorLayout(of: tensor) == reader.layout(of: name))
        }
        counts.read += 1
      } catch {
        #expect(error is CheckpointError || error is FileError, "\(error)")
        #expect(!"\(error)".contains { $0.isNewline } && "\(error)".utf8.count < 1000, "\(error)")
        counts.refused += 1
      }
    }
    return counts
  }

  private static let json = [
    "0", "-1", "4", "9223372036854775807", "99999999999999999999", "1e9", "[]", "{}", "null", "\"\"", "\"F32\"",
    "\"I64\"",
    "\"BOOL\"", "\\u0000", "\\ud83d", "[[[[", ",", "\"shape\"", "__metadata__",
  ]

  @Test("randomly damaged safetensors files are read or rejected with one line")
  func safetensors() throws {
    let folder = try ScratchFolder()
    let original = Array(try Data(contentsOf: fixture("types.safetensors")))
    let counts = try expectNoCrash(original, name: "a.safetensors", seed: 1, snippets: Self.json, in: folder)
    #expect(counts.read > 0 && counts.refused > Self.rounds / 2)
  }

  @Test("randomly damaged shard indexes are read or rejected with one line")
  func index() throws {
    let folder = try ScratchFolder()
    try Safetensors.write(["a": Tensor(1)], to: folder("s1.safetensors"))
    try Safetensors.write(["b": Tensor(2)], to: folder("s2.safetensors"))
    let text = #"{"metadata":{"total_size":8},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}}"#
    let counts = try expectNoCrash(
      Array(text.utf8), name: "model.safetensors.index.json", seed: 2, snippets: Self.json + ["../", "/", "s1", "s2"],
      in: folder)
    #expect(counts.read > 0 && counts.refused > Self.rounds / 2)
  }

  @Test("randomly damaged torch.save archives are read or rejected with one line")
  func archive() throws {
    let folder = try ScratchFolder()
    let original = Array(try Data(contentsOf: fixture("types.bin")))
    let counts = try expectNoCrash(
      original, name: "a.bin", seed: 3, snippets: ["PK\u{1}\u{2}", "PK\u{3}\u{4}", "PK\u{5}\u{6}", "(", "t", "\u{7F}"],
      in: folder)
    #expect(counts.read > 0 && counts.refused > 0)
  }

  @Test("torch.save archives with a randomly damaged pickle are read or rejected with one line")
  func pickle() throws {
    let folder = try ScratchFolder()
    let snippets = [
      "(", "t", ")", "}", "u", "s", "R", "Q", "b", "q\u{1}", "h\u{1}", "N", "]", "e", ".", "K\u{6}", "X", "c",
    ]
    let pickle = PickleWriter.dictionary {
      $0.text("w")
      $0.tensor(count: 6, offset: 1, shape: [2, 2], strides: [3, 1])
      $0.text("v")
      $0.tensor(count: 6, shape: [6], strides: [1])
    }
    var generator = SeededGenerator(seed: 4)
    var read = 0
    for _ in 0..<Self.rounds {
      let url = try folder.write(torchArchive(generator.mutated(pickle, snippets: snippets)), to: "a.bin")
      do {
        let archive = try TorchArchive(contentsOf: url)
        for name in archive.names { #expect(try archive.tensor(named: name).count <= 6) }
        read += 1
      } catch {
        #expect(error is CheckpointError, "\(error)")
      }
    }
    #expect(read > 0 && read < Self.rounds / 2)
  }
}

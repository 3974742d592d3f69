import Foundation
import Synchronization
import Testing

@Suite("calm data prepare --part and calm data join")
struct DataJoinTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    try folder.prepareData("--validation-fraction", "0.1")
  }

  private func prepare(_ part: String, to name: String, _ options: String...) throws -> CommandResult {
    try Command.run(
      [
        "data", "prepare", folder.path("stories.txt"), "--document-unit", "lines", "--validation-fraction", "0.1",
        "--tokenizer", folder.path("tokenizer.json"), "--part", part, "--out", folder.path(name),
      ] + options)
  }

  private func join(_ parts: String..., to name: String = "joined", options: [String] = []) throws -> CommandResult {
    try Command.run(["data", "join"] + parts.map(folder.path) + ["--out", folder.path(name)] + options)
  }

  @Test("parts prepared at the same time make the data set of one process, byte for byte")
  func sameBytes() throws {
    let results = Mutex<[CommandResult]>([])
    DispatchQueue.concurrentPerform(iterations: 3) { index in
      guard let result = try? prepare("\(index + 1)/3", to: "part-\(index + 1)") else { return }
      results.withLock { $0.append(result) }
    }
    let finished = results.withLock { $0 }
    #expect(finished.map(\.status) == [0, 0, 0])
    #expect(finished.contains { $0.text.contains("part 2 of 3") })
    let joined = try join("part-3", "part-1", "part-2")
    #expect(joined.status == 0 && joined.text.contains("from 3 parts"), "\(joined.errorOutput)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("data"))
    #expect(try names.sorted() == FileManager.default.contentsOfDirectory(atPath: folder.path("joined")).sorted())
    for name in names {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.path("data/\(name)"), andPath: folder.path("joined/\(name)")), "\(name)")
    }
  }

  @Test("results as JSON")
  func results() throws {
    let part = try prepare("1/1", to: "part", "--json").json()
    let manifest = try #require(part["manifest"] as? [String: Any])
    #expect((manifest["content"] as? [String: Any])?["documents"] as? Int == 400)
    #expect((manifest["part"] as? [String: Any])?["count"] as? Int == 1)
    let joined = try join("part", options: ["--json"]).json()
    #expect(joined["parts"] as? Int == 1)
  }

  @Test("each refusal is one line that says what to do, and nothing is left behind")
  func refusals() throws {
    #expect(try prepare("1/2", to: "one").status == 0)
    expectFailure(try prepare("1/2", to: "one"), saying: "already contains a part", "--overwrite")
    #expect(try prepare("1/2", to: "one", "--overwrite").status == 0)
    expectFailure(try join("one"), saying: "part 2 of 2 is missing")
    #expect(try prepare("1/2", to: "copy").status == 0)
    expectFailure(try join("one", "copy"), saying: "are both part 1 of 2")
    #expect(try prepare("2/2", to: "seeded", "--seed", "5").status == 0)
    expectFailure(try join("one", "seeded"), saying: "seeded: prepared with a different seed", "(5, not 0)")
    expectFailure(try join("one", "data"), saying: "data: not a finished part")
    expectFailure(try join("one", "nowhere"), saying: "nowhere: not a finished part", "no such folder")
    #expect(try prepare("2/2", to: "two").status == 0)
    expectFailure(try join("one", "two", to: "data"), saying: "data: already contains a data set", "--overwrite")
    expectFailure(
      try Command.run(["train", "autoencoder", "--data", folder.path("one"), "--out", folder.path("run")]),
      saying: "one: part 1 of 2 of a data set", "join")
    expectUsageError(try prepare("3/2", to: "three"), saying: "3/2", "--part")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.sorted() == ["copy", "data", "one", "seeded", "stories.txt", "tokenizer.json", "two"])
  }

  @Test("standard input cannot be divided")
  func standardInput() throws {
    let result = try Command.run(
      ["data", "prepare", "-", "--tokenizer", folder.path("tokenizer.json"), "--part", "1/2", "--out"]
        + [folder.path("part")])
    expectFailure(result, saying: "standard input: cannot be divided")
  }
}

import Foundation
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
    let script = """
      cd "$DIR"; for i in 1 2 3; do "$CALM" data prepare "$DIR/stories.txt" --document-unit lines \
      --validation-fraction 0.1 --tokenizer tokenizer.json --part $i/3 --out parts-$i & done; wait
      "$CALM" data join parts-* --out joined && diff -r data joined && cat data/data.json
      """
    let result = try Command.shell(script, in: folder.url)
    #expect(result.status == 0, "\(result.text)\(result.errorOutput)")
    #expect(result.text.contains("part 2 of 3") && result.text.contains("from 3 parts"))
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

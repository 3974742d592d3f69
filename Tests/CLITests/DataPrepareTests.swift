import Foundation
import Testing

@Suite("calm data prepare")
struct DataPrepareTests {
  private let folder: TemporaryFolder
  private let tokenizer: String

  init() throws {
    folder = try TemporaryFolder()
    tokenizer = try folder.addTokenizer()
  }

  private func prepare(_ arguments: String...) throws -> CommandResult {
    try Command.run(
      ["data", "prepare", "--tokenizer", tokenizer, "--out", folder.path("data")] + arguments)
  }

  @Test("A data set contains shards, their description and the tokenizer, and the results are printed")
  func results() throws {
    let result = try prepare(
      folder.path("stories.txt"), "--document-unit", "lines", "--validation-fraction", "0.1", "--json")
    let results = try result.json()
    let manifest = try #require(results["manifest"] as? [String: Any])
    let train = try #require(manifest["train"] as? [String: Any])
    let validation = try #require(manifest["validation"] as? [String: Any])
    let documents = try #require(train["documents"] as? Int) + #require(validation["documents"] as? Int)
    #expect(documents == 400)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("data")).sorted()
    #expect(names == ["data.json", "tokenizer.json", "train-00000.calmtokens", "validation-00000.calmtokens"])
  }

  @Test("Only an existing data set is replaced, and only with --overwrite")
  func overwriting() throws {
    #expect(try prepare(folder.path("stories.txt")).status == 0)
    expectFailure(try prepare(folder.path("stories.txt")), saying: "data: already contains a data set", "--overwrite")
    #expect(try prepare(folder.path("stories.txt"), "--overwrite").status == 0)
    try FileManager.default.createDirectory(atPath: folder.path("photos"), withIntermediateDirectories: true)
    try folder.write("mine", "photos/a.jpg")
    let other = try Command.run([
      "data", "prepare", folder.path("stories.txt"), "--tokenizer", tokenizer, "--out", folder.path("photos"),
      "--overwrite",
    ])
    expectFailure(other, saying: "photos: exists and is not a data set")
  }

  @Test("Invalid text leaves no files")
  func failure() throws {
    try folder.write("{\"text\": \"fine\"}\nnot JSON\n", "bad.jsonl")
    expectFailure(try prepare(folder.path("bad.jsonl")), saying: "bad.jsonl:2:")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
    #expect(names.sorted() == ["bad.jsonl", "stories.txt", "tokenizer.json"])
  }

  @Test("Standard input and compressed files are read")
  func sources() throws {
    let piped = try Command.run(
      ["data", "prepare", "-", "--tokenizer", tokenizer, "--out", folder.path("piped"), "--json"],
      input: Data("the cat\n".utf8))
    #expect(piped.status == 0, "\(piped.errorOutput)")
    let zipped = try Command.shell(
      #"gzip -k "$DIR/stories.txt" && "$CALM" data prepare "$DIR/stories.txt.gz" --out "$DIR/zipped" "#
        + #"--tokenizer "$DIR/tokenizer.json""#, in: folder.url)
    #expect(zipped.status == 0, "\(zipped.errorOutput)")
  }
}

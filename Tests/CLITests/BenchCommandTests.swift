import Foundation
import Testing

@Suite("calm-bench")
struct BenchCommandTests {
  /// Options for a minimal amount of work.
  private static func tiny(_ job: String) -> [String] {
    let sizes =
      switch job {
      case "generate-half", "generate-half-equal", "generate-half-late":
        ["--prompt-tokens", "8", "--new-tokens", "8", "--candidates", "20"]
      case let job where job.hasPrefix("generate"): ["--prompt-tokens", "8", "--new-tokens", "8"]
      default: ["--batch-size", "1", "--sequence-length", "64"]
      }
    return sizes + ["--vocab-size", "300", "--steps", "1", "--threads", "1", "--json"]
  }

  @Test(
    "Each job of a model reports its time, memory and operations",
    arguments: [
      "train-ae", "train-lm", "train-flow", "train-posterior", "train-tokens", "train-transformer", "generate",
      "generate-posterior", "generate-one-step", "generate-tokens", "generate-transformer", "generate-half",
      "generate-half-equal", "generate-half-late", "evaluate",
    ])
  func jobs(job: String) throws {
    let result = try Command.bench(["job", job, "--precision", "float32"] + Self.tiny(job))
    #expect(result.status == 0, "\(result.errorOutput)")
    let measurement = try #require(try result.json()["measurement"] as? [String: Any])
    for name in ["tokens_per_second", "seconds_median", "peak_mib", "operations"] {
      #expect((measurement[name] as? Double ?? 0) > 0, "\(name)")
    }
  }

  @Test("The jobs on text count its tokens")
  func text() throws {
    let folder = try TemporaryFolder()
    let tokenizer = try folder.addTokenizer()
    try folder.write((0..<50).map { "{\"text\": \"the cat sat on mat \($0)\"}\n" }.joined(), "text.jsonl")
    let counts = try ["tokenizer", "data"].map { job in
      let result = try Command.bench([
        "job", job, "--text", folder.path("text.jsonl"), "--tokenizer", tokenizer, "--steps", "1", "--json",
      ])
      #expect(result.status == 0, "\(result.errorOutput)")
      return ((try result.json()["measurement"] as? [String: Any])?["tokens"] as? Int) ?? 0
    }
    #expect(counts[0] > 100)
    #expect(counts[1] == counts[0])
  }

  /// A program that replies like `scripts/time-official.py` and records its arguments.
  private func stub(in folder: TemporaryFolder, answer: String) throws -> [String] {
    let stub = try folder.write("#!/bin/sh\necho \"$@\" >> '\(folder.path("calls"))'\n\(answer)\n", "python")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: stub.path)
    try FileManager.default.createDirectory(
      atPath: folder.path("official/models"), withIntermediateDirectories: true)
    try folder.write("", "official/models/modeling_energy.py")
    return ["--official", folder.path("official"), "--python", stub.path]
  }

  @Test("calm-bench alternates with the official code, and writes the results to a file and into a document")
  func table() throws {
    let folder = try TemporaryFolder()
    let official = try stub(
      in: folder,
      answer: """
        echo '{"seconds_median": 2, "seconds_min": 1, "tokens": 64, "tokens_per_second": 32, "peak_mib": 100}'
        """)
    let (begin, end) = ("<!-- calm-bench results -->\n", "<!-- end of calm-bench results -->\n")
    try folder.write("before\n\(begin)old\n\(end)after\n", "table.md")
    let files = ["--out", folder.path("results.json"), "--markdown", folder.path("table.md")]
    for job in ["train-ae", "evaluate"] {
      let result = try Command.bench(
        [job, "--precision", "float32", "--turns", "2"] + Self.tiny(job) + official + files)
      #expect(result.status == 0, "\(result.errorOutput)")
    }
    let file = URL(fileURLWithPath: folder.path("results.json"))
    let stored = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
    let rows = try #require((stored as? [String: Any])?["rows"] as? [[String: Any]])
    #expect(rows.map { $0["job"] as? String } == ["train-ae", "evaluate"])
    for row in rows {
      #expect((row["ours"] as? [Any])?.count == 2)
      #expect((row["official"] as? [Any])?.count == 2)
    }
    let calls = try String(contentsOfFile: folder.path("calls"), encoding: .utf8).split(separator: "\n")
    #expect(calls.count == 4)
    #expect(calls.allSatisfy { $0.contains("--precision float32") && $0.contains("\"vocabulary\":300") })
    let document = try String(contentsOfFile: folder.path("table.md"), encoding: .utf8)
    #expect(document.hasPrefix("before\n\(begin)"))
    #expect(document.hasSuffix("\(end)after\n"))
    #expect(document.contains("| autoencoder, training step | small | float32 |") && !document.contains("old"))
  }

  @Test("An error of the official code is reported, and no results are written")
  func officialFails() throws {
    let folder = try TemporaryFolder()
    let official = try stub(in: folder, answer: "echo 'No module named torch' >&2; exit 1")
    expectFailure(
      try Command.bench(
        ["evaluate", "--precision", "float32", "--out", folder.path("results.json")] + Self.tiny("evaluate")
          + official),
      saying: "official evaluate", "No module named torch")
    #expect(!FileManager.default.fileExists(atPath: folder.path("results.json")))
  }

  @Test("Invalid arguments are rejected")
  func badArguments() throws {
    let folder = try TemporaryFolder()
    expectFailure(
      try Command.bench(["--official", folder.url.path, "--python", "/bin/sh"]), saying: "modeling_energy.py")
    try folder.write("[]", "results.json")
    expectFailure(try Command.bench(["--out", folder.path("results.json")]), saying: "not a results file")
    for arguments in [
      ["sleep"], ["--official", "x"], ["--markdown", "x"], ["--compile"], ["--turns", "0"],
      ["job", "generate", "--candidates", "0"], ["job", "generate", "--prompt-tokens", "7"],
      ["growth"],
    ] {
      #expect(try Command.bench(arguments).status == 64, "\(arguments)")
    }
  }
}

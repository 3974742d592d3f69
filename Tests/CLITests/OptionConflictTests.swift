import Foundation
import Testing

@Suite("Options that contradict each other")
struct OptionConflictTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Splits arguments, with the paths of files and models in place of the names in braces.
  private func resolved(_ arguments: String) throws -> [String] {
    try arguments.split(separator: " ").flatMap { word -> [String] in
      switch word {
      case "{out}": [folder.path("out")]
      case "{new}": ["--data", "d", "--out", folder.path("out")]
      case "{text}": [try folder.write("a cat\n", "a.txt").path]
      case "{lines}": [try folder.write("{\"text\": \"a cat\"}\n", "a.jsonl").path]
      case "{tokenizer}": [try folder.addTokenizer()]
      case "{autoencoder}": [fixture("energy-k8/autoencoder")]
      case "{plain}": [try changed("energy-k8/autoencoder", "variational", false)]
      case "{calm}": [fixture("energy-k4/model")]
      case "{transformer}": [fixture("llama-ar/model")]
      case "{tied}": [try changed("llama-ar/model", "tie_word_embeddings", true)]
      default: [String(word)]
      }
    }
  }

  private func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("CALMTests/Fixtures/\(name)").path
  }

  /// The configuration of a model with one key changed, in a separate folder.
  private func changed(_ name: String, _ key: String, _ value: Bool) throws -> String {
    let file = URL(fileURLWithPath: fixture(name) + "/config.json")
    var settings = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    settings[key] = value
    try folder.write(JSONSerialization.data(withJSONObject: settings), "config.json")
    return folder.url.path
  }

  @Test("Contradictory options are refused with one line, and nothing is written", arguments: OptionConflict.all)
  func refused(command: String, conflicts: [OptionConflict]) throws {
    for conflict in conflicts {
      let words = command.split(separator: " ").map(String.init)
      let arguments = try resolved(conflict.arguments)
      let result =
        try words[0] == "calm-bench" ? Command.bench(words.dropFirst() + arguments) : Command.run(words + arguments)
      let line = result.errorOutput.split(separator: "\n").first { $0.hasPrefix("Error: ") } ?? ""
      #expect(result.status != 0, "\(command) \(conflict.arguments)")
      #expect(line.contains(conflict.refusal), "\(command) \(conflict.arguments): \(result.errorOutput)")
      #expect(!FileManager.default.fileExists(atPath: folder.path("out")), "\(command) \(conflict.arguments)")
    }
  }

  @Test("The table of contradictory options contains every command, and only existing options")
  func tableIsComplete() throws {
    let commands = try CommandDescription.all().filter { $0.command.subcommands?.isEmpty ?? true }
    let listed = OptionConflict.all.map(\.command).filter { !$0.hasPrefix("calm-bench ") }
    #expect(Set(commands.map(\.words)) == Set(listed.map { "calm " + $0 }))
    for (words, command) in commands {
      let known = Set(command.options.map(\.name))
      let named = OptionConflict.all.filter { "calm " + $0.command == words }.flatMap(\.conflicts)
        .flatMap { $0.arguments.split(separator: " ") }.filter { $0.hasPrefix("--") }.map(String.init)
      #expect(known.isSuperset(of: named), "\(words): \(Set(named).subtracting(known))")
    }
  }

  @Test("A resumed run refuses all options except limits, threads and processes")
  func resumed() throws {
    let allowed: Set = [
      "--resume", "--config", "--print-settings", "--json", "--steps", "--max-tokens", "--max-time",
      "--threads", "--processes", "--max-restarts", "--process-timeout", "--shard-optimizer", "--no-shard-optimizer",
    ]
    let trainings = try CommandDescription.all().filter { $0.words.hasPrefix("calm train ") }
    #expect(trainings.count == 3)
    for (words, command) in trainings {
      let fixed = command.options.filter { !allowed.contains($0.name) }
      let line = words.split(separator: " ").dropFirst().map(String.init) + ["--resume", "r"]
      let result = try Command.run(line + fixed.map { $0.isFlag ? $0.name : "\($0.name)=1" })
      #expect(result.status == 64)
      let names = fixed.map(\.name).joined(separator: ", ")
      #expect(result.errorOutput.hasPrefix("Error: \(names) cannot be changed"), "\(words): \(result.errorOutput)")
      #expect(fixed.count > 20)
    }
  }

  @Test("--max-restarts is refused with another launcher")
  func otherLauncher() throws {
    let result = try Command.shell(
      "RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 \"$CALM\" train transformer --data d "
        + "--out \"$DIR/out\" --processes 2 --max-restarts 3", in: folder.url)
    #expect(result.status == 64 && result.errorOutput.contains("--max-restarts needs --processes"))
  }

  @Test("Options of evaluations are refused if the data has no held-out text")
  func withoutHeldOutText() throws {
    let data = try folder.prepareData("--validation-fraction", "0")
    let new = [
      "train", "transformer", "--data", data, "--out", folder.path("out"), "--hidden-size", "32", "--layers", "1",
    ]
    let result = try Command.run(
      new + ["--eval-interval", "5", "--eval-sequences", "3", "--best-metric", "perplexity"])
    #expect(
      result.errorOutput.contains(
        "--eval-interval, --eval-sequences, --best-metric have no effect because the data has no held-out text"),
      "\(result.errorOutput)")
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test("The same options are accepted if they have an effect")
  func obeyed() throws {
    let tokenizer = try folder.addTokenizer()
    for arguments in [
      "{text} --out {out}/a --tokenizer \(tokenizer) --document-unit lines --validation-fraction 0",
      "{lines} --out {out}/b --tokenizer \(tokenizer) --text-field text --skip-malformed --seed 3",
      "{text} {lines} --out {out}/c --tokenizer \(tokenizer) --document-unit lines --text-field text "
        + "--validation-max-documents 1",
    ] {
      try? FileManager.default.createDirectory(atPath: folder.path("out"), withIntermediateDirectories: true)
      let words = try resolved(arguments.replacing("{out}", with: folder.path("out")))
      let result = try Command.run(["data", "prepare"] + words)
      #expect(result.status == 0, "\(result.errorOutput)")
    }
    let table = try Command.run(["info", "--tokens", "15B"])
    #expect(table.status == 0 && table.text.contains("on 1.50e10 tokens"), "\(table.text)")
  }
}

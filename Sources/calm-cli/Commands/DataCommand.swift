import ArgumentParser
import CALMTerminal

/// `calm data`: makes what training reads.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract: "Turn text into the token shards that training reads.",
    discussion: """
      Example:
        calm data prepare books/*.txt --tokenizer tokenizer.json --out data
      """,
    subcommands: [DataPrepare.self, DataJoin.self])
}

import ArgumentParser
import CALMCorpus
import CALMTerminal
import Foundation

/// `calm data join`.
struct DataJoin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join",
    abstract: "Make one data set of the parts that 'calm data prepare --part' has prepared.",
    discussion: """
      The data set is the same, byte for byte, as without parts, whatever their number. All parts are needed, in any \
      order, prepared with the same text, tokenizer and settings. They are only read.

      Example:
        calm data join parts/* --out data
      """)

  @Argument(help: ArgumentHelp("The folders of all parts.", valueName: "parts"))
  var parts: [String]

  @Option(name: .customLong("out"), help: ArgumentHelp("The new folder.", valueName: "folder"))
  var output: String

  @Flag(help: "Replace an existing data set.")
  var overwrite = false

  @OptionGroup var report: OutputOptions

  private struct Results: Encodable {
    let folder: String
    let parts: Int
    let manifest: DataSetManifest
    let seconds: Double
  }

  func run() throws {
    let start = ContinuousClock.now
    try requireParentFolder(of: URL(fileURLWithPath: output))
    let join = try DataPartJoin(folders: parts)
    // Control-C takes the unfinished folder away with it.
    Interruption.watch()
    let bar = ProgressBar(label: "joining", total: join.tokens)
    let manifest = try join.run(into: output, overwrite: overwrite) { tokens in
      bar.update(completed: tokens, detail: "\(shortCount(tokens)) tokens")
      return Interruption.isRequested ? .stop : .continue
    }
    bar.finish()
    let (train, validation) = (manifest.train, manifest.validation)
    let seconds = start.duration(to: .now).seconds
    try report.print(
      Results(folder: output, parts: parts.count, manifest: manifest, seconds: seconds),
      text: """
        \(output): \(shortCount(train.tokens)) tokens in \(counted(train.documents, "document")) to train on, \
        \(shortCount(validation.tokens)) in \(counted(validation.documents, "document")) for validation, from \
        \(counted(parts.count, "part")), in \(String(format: "%.1f", seconds)) s
        """)
  }
}

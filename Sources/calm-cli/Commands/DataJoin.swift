import ArgumentParser
import CALMCorpus
import CALMTerminal
import Foundation

/// `calm data join`.
struct DataJoin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join",
    abstract: "Join the parts that 'calm data prepare --part' has prepared into one data set.",
    discussion: """
      The data set is the same, byte for byte, as one prepared without parts, whatever their number. All parts are \
      needed, in any order, prepared from the same text with the same tokenizer and settings. They are only read.

      Example:
        calm data join parts/* --out data
      """)

  @Argument(help: ArgumentHelp("Folders of all parts.", valueName: "parts"))
  var parts: [String]

  @Option(name: .customLong("out"), help: ArgumentHelp("New folder.", valueName: "folder"))
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
    // Control-C removes the unfinished folder.
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

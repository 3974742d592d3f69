import ArgumentParser
import CALMCorpus
import CALMSupport
import CALMTerminal
import Foundation

/// `calm demo`.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "From nothing to a small trained model and its texts, in minutes.",
    discussion: """
      Writes tales, trains a tokenizer, an autoencoder and a language model on them, evaluates and writes stories, \
      which the tales' grammar then judges. With --text it does the same on your own text. Everything stays in one \
      folder, to go on from.

      Example:
        calm demo
        calm demo --text books/*.txt more.jsonl.zst
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Your own text instead of the tales: files, folders or patterns.", valueName: "files"))
  var text: [String] = []

  @Option(help: "What is one document in plain text. (default: paragraphs)")
  var documentUnit: TextSplit?

  @OptionGroup var faults: TextFaultOptions

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp("The folder to make. (default: runs/demo-DATE-TIME)", valueName: "folder"))
  var output: String?

  @Flag(help: "Everything in small, in under a minute: to see that it works, not to read the stories.")
  var quick = false

  @Option(
    help: ArgumentHelp(
      "The weight of the auxiliary token loss, beyond the paper. (default: 0 for the tales and 1 for your own text)",
      valueName: "w"), transform: amount)
  var auxWeight: Double?

  @Option(help: ArgumentHelp("Decides the tales and everything else.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  func validate() throws {
    try refuse(
      withoutEffect(
        "without --text", when: text.isEmpty,
        [
          "--document-unit": documentUnit, "--lossy": faults.lossy.ifGiven,
          "--skip-malformed": faults.skipMalformed.ifGiven,
        ]))
  }

  func run() throws {
    let setting = try compute.prepare()
    let folder = URL(fileURLWithPath: output ?? Self.defaultFolder())
    if FileManager.default.fileExists(atPath: folder.path) { throw DemoError.exists(folder.path) }
    let options = CorpusOptions(
      split: documentUnit ?? .paragraphs, lossy: faults.lossy, skipMalformed: faults.skipMalformed)
    let input = text.isEmpty ? nil : try CorpusReader(paths: text, options: options)
    if let input {
      try refuse(
        faults.problems(with: input)
          + withoutEffect("on JSON lines", when: !input.readsPlainText, ["--document-unit": documentUnit]))
    }
    let usual = text.isEmpty ? DemoRecipe.tales : .text
    let recipe = auxWeight.map { usual.with(auxiliaryLossWeight: $0) } ?? usual
    let pipeline = DemoPipeline(
      quick ? recipe.quick() : recipe, in: folder, input: input, compute: setting, seed: seed)
    StandardError.note("\(relativePath(folder.path)): \(setting.summary)")
    do {
      try pipeline.run()
    } catch let interruption as DemoInterruption {
      try report.print(pipeline.figures, text: interruption.line)
      throw ExitCode(130)
    }
    try report.print(pipeline.figures, text: story(of: pipeline))
  }

  private static func defaultFolder() -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "yyyyMMdd-HHmmss"
    return "runs/demo-\(format.string(from: Date()))"
  }

  /// The end of the demo: samples, summary, and how to go on.
  private func story(of pipeline: DemoPipeline) -> String {
    let samples = pipeline.figures.samples.prefix(4).map { "  " + $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let folder = relativePath(URL(fileURLWithPath: pipeline.figures.folder).path)
    return """

      \(samples.joined(separator: "\n\n"))

      \(pipeline.figures.summary)
      Go on from here:
        calm generate \(folder)/lm/model --temperature 1/3 --seed 7
        calm eval lm \(folder)/lm/model --data \(folder)/data
        calm train lm --resume \(folder)/lm --steps \(pipeline.longerTraining)

      """
  }
}

/// A demo that cannot begin.
enum DemoError: DescribedError {
  case exists(String)

  var description: String {
    switch self {
    case .exists(let path): "\(path): is there already; choose another folder with --out"
    }
  }
}

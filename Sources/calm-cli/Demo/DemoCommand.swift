import ArgumentParser
import CALM
import CALMCorpus
import CALMExperiments
import CALMSupport
import CALMTerminal
import Foundation

/// `calm demo`.
struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Train a small model from scratch and generate text with it, in minutes.",
    discussion: """
      Generates synthetic stories, trains a tokenizer and a language model on them, evaluates the model and generates \
      new stories, which the grammar of the synthetic stories checks. With --text, it trains on your own text \
      instead. All files are in one folder, so you can continue with the other commands.

      The demo measures the machine's speed and takes as many training steps as fit into --minutes. For the same \
      training on every machine, give --steps.

      By default, the model has a tokens head, which predicts the tokens of a chunk one after the other: this has \
      measured best. With --head energy, the model is the paper's: an autoencoder is trained first, and the head \
      samples its latents in one step. With --head posterior, the model needs no autoencoder, and its head is \
      distilled into one that samples the tokens in one step.

      Example:
        calm demo
        calm demo --minutes 30 --text books/*.txt more.jsonl.zst
      """)

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Text to train on: files, folders or patterns. (default: synthetic stories)", valueName: "files")
  )
  var text: [String] = []

  @Option(help: "The unit of plain text that becomes one document. (default: paragraphs)")
  var documentUnit: DocumentUnit?

  @OptionGroup var faults: TextFaultOptions

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp("The folder to create. (default: runs/demo-DATE-TIME)", valueName: "folder"))
  var output: String?

  @Option(help: ArgumentHelp("The time for all stages. (default: 7)", valueName: "n"), transform: positiveAmount)
  var minutes: Double?

  @Option(
    help: ArgumentHelp("Training steps of the language model, however long they take.", valueName: "n"),
    transform: whole(from: 1))
  var steps: Int?

  @Flag(help: "Run all stages in less than a minute, as a check. The generated text is not yet language.")
  var quick = false

  @Option(help: "The generative head.")
  var head = Head.tokens

  @Option(
    help: ArgumentHelp(
      "The weight of the auxiliary token loss. (default: 0 with --head tokens, and with --head energy on synthetic "
        + "stories; else 1)", valueName: "w"), transform: amount)
  var auxWeight: Double?

  @Option(help: ArgumentHelp("The seed of the stories, the weights and the samples.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  /// The heads for which there is a recipe.
  enum Head: String, ExpressibleByArgument, CaseIterable {
    case tokens, posterior, energy

    /// The same head for the library.
    var kind: HeadKind {
      switch self {
      case .tokens: .tokens
      case .posterior: .posterior
      case .energy: .energy
      }
    }
  }

  func validate() throws {
    try refuse(
      withoutEffect("with --quick", when: quick, ["--minutes": minutes, "--steps": steps])
        + withoutEffect("with --steps", when: !quick && steps != nil, ["--minutes": minutes]))
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
      documentUnit: documentUnit ?? .paragraphs, lossy: faults.lossy, skipMalformed: faults.skipMalformed)
    let reader = text.isEmpty ? nil : try CorpusReader(paths: text, options: options)
    if let reader {
      try refuse(
        faults.problems(with: reader)
          + withoutEffect("on JSON lines", when: !reader.readsPlainText, ["--document-unit": documentUnit]))
    }
    let demo = Demo(
      recipe, in: folder, source: reader, device: setting.device,
      precision: setting.precision, seed: seed, program: "calm \(calmVersion)")
    StandardError.note("\(relativePath(folder.path)): \(setting.summary)")
    let progress = DemoOutput(demo, reader: reader)
    defer { progress.finish() }
    Interruption.watch()
    let end = try demo.run(report: progress.report)
    progress.finish()
    if let line = stopLine(end, folder: relativePath(folder.path)) {
      try report.print(demo.results, text: line)
      throw ExitCode(130)
    }
    try report.print(demo.results, text: conclusion(of: demo, summary: progress.summary))
  }

  /// The recipe for the options.
  private var recipe: DemoRecipe {
    var recipe = text.isEmpty ? DemoRecipe.stories(head: head.kind) : .text(head: head.kind)
    if let auxWeight { recipe.auxiliaryLossWeight = auxWeight }
    if quick { return recipe.quick() }
    if let steps { recipe.languageModel.steps = steps } else { recipe.duration = .seconds(60 * (minutes ?? 7)) }
    return recipe
  }

  private static func defaultFolder() -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.dateFormat = "yyyyMMdd-HHmmss"
    return "runs/demo-\(format.string(from: Date()))"
  }

  /// The line on an interrupted demo; nil for a finished one.
  private func stopLine(_ end: DemoEnd, folder: String) -> String? {
    switch end {
    case .finished: nil
    case .stoppedBeforeTraining: "stopped before training; nothing was kept"
    case .stopped: "stopped; the trained models are in \(folder)"
    case .stoppedInTraining(let kind, let run, let step):
      "stopped after step \(step); resume with: \(kind.command) --resume \(relativePath(run))"
    }
  }

  /// The end of the output: samples, summary, and commands to continue with.
  private func conclusion(of demo: Demo, summary: String) -> String {
    let samples = demo.results.samples.prefix(4).map { "  " + $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let folder = relativePath(URL(fileURLWithPath: demo.results.folder).path)
    var commands = [
      "calm generate \(folder)/\(demo.recipe.modelFolder) --temperature 1/3 --seed 7",
      "calm eval lm \(folder)/\(demo.recipe.modelFolder) --data \(folder)/data",
      "calm train lm --resume \(folder)/lm --steps \(2 * (demo.results.languageModelSteps ?? 0))",
    ]
    if demo.recipe.head == .tokens {
      commands.append("calm distill \(folder)/lm/model --data \(folder)/data --out \(folder)/student")
    }
    return """

      \(samples.joined(separator: "\n\n"))

      \(summary)
      Continue with:
      \(commands.map { "  " + $0 }.joined(separator: "\n"))

      """
  }
}

/// An error in the arguments of the demo.
enum DemoError: DescribedError {
  case exists(String)

  var description: String {
    switch self {
    case .exists(let path): "\(path): already exists; choose another folder with --out"
    }
  }
}

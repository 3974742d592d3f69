import ArgumentParser
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTokenizer
import CALMTraining
import Foundation

/// `calm data prepare`.
struct DataPrepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prepare",
    abstract: "Tokenize text into a data set of token shards.",
    discussion: """
      The folder holds shards of ids for training and validation, data.json, which describes them, and the tokenizer. \
      It is complete or absent. The shards work with any chunk size.

      With --prompt-field and --completion-field each JSON line is a prompt with its completion: training reads both \
      and predicts only chunks that contain completion tokens.

      With --part 2/5 the folder holds the second of five parts of the corpus. Run the same command for each part, on \
      any machines that see the files under the same paths, then 'calm data join'. The parts are about equal in size; a \
      file that several parts share is read by each of them.

      Example:
        calm data prepare books/*.txt --tokenizer tokenizer.json --out data
        calm data prepare tasks.jsonl --prompt-field prompt --completion-field completion --tokenizer runs/lm/model \
          --out tasks
        calm data prepare 'pile/*.jsonl.zst' --tokenizer tokenizer.json --part 2/5 --out parts/2
      """)

  @OptionGroup var input: TextInputOptions
  @OptionGroup var tokenizer: TokenizerOption

  @Option(help: ArgumentHelp("JSON field with the prompt.", valueName: "name"))
  var promptField: String?

  @Option(
    help: ArgumentHelp("JSON field with the completion, in place of --text-field.", valueName: "name"))
  var completionField: String?

  @Option(name: .customLong("out"), help: ArgumentHelp("The new folder.", valueName: "folder"))
  var output: String

  @Option(help: ArgumentHelp("Prepare only part I of N, such as 2/5, for 'calm data join'.", valueName: "i/n"))
  var part: CorpusPart?

  @Option(help: ArgumentHelp("Fraction of the documents held out for validation.", valueName: "share"))
  var validationFraction = 0.01

  @Option(help: ArgumentHelp("Maximum number of validation documents. (default: 1000)", valueName: "n"))
  var validationMaxDocuments: Int?

  @Option(help: ArgumentHelp("Random seed of the choice of validation documents. (default: 0)", valueName: "n"))
  var seed: UInt64?

  @Option(help: ArgumentHelp("Threads for tokenizing. (default: one for each core)", valueName: "n"))
  var threads: Int?

  @Flag(help: "Replace an existing data set.")
  var overwrite = false

  @OptionGroup var report: OutputOptions

  private struct Results: Encodable {
    let folder: String
    let manifest: DataSetManifest
    let bytesPerToken: Double
    let seconds: Double
  }

  private struct PartResults: Encodable {
    let folder: String
    let manifest: DataPartManifest
    let seconds: Double
  }

  func validate() throws {
    guard (promptField == nil) == (completionField == nil) else {
      throw ValidationError("--prompt-field and --completion-field go together; give both")
    }
    guard (0..<1).contains(validationFraction) else {
      throw ValidationError("--validation-fraction must be at least 0 and below 1, not \(validationFraction)")
    }
    if let validationMaxDocuments, validationMaxDocuments < 0 {
      throw ValidationError("--validation-max-documents must not be negative")
    }
    try refuse(
      withoutEffect(
        "with --validation-fraction 0", when: validationFraction == 0,
        ["--validation-max-documents": validationMaxDocuments, "--seed": seed])
        + withoutEffect("with --completion-field", when: completionField != nil, ["--text-field": input.textField]))
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be from 1 to 1024, not \(threads)")
    }
  }

  func run() throws {
    let start = ContinuousClock.now
    try requireParentFolder(of: URL(fileURLWithPath: output))
    let tokenizer = try tokenizer.load()
    var pipeline = try TextPipeline(tokenizer, at: self.tokenizer.path, createdBy: "calm \(calmVersion)")
    let fields = promptField.flatMap { prompt in completionField.map { (prompt: prompt, completion: $0) } }
    let reader = try input.reader(fields: fields)
    pipeline.preparation.validationFraction = validationFraction
    pipeline.preparation.validationMaxDocuments = validationMaxDocuments ?? 1000
    pipeline.preparation.seed = seed ?? 0
    pipeline.preparation.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    pipeline.preparation.overwrite = overwrite
    pipeline.preparation.hasPrompts = fields != nil

    if let part { return try prepare(part, of: reader, with: pipeline, start: start) }

    let bar = ProgressBar(label: "tokenizing", total: reader.progress.totalBytes)
    // Control-C takes the unfinished folder away with it.
    Interruption.watch()
    let manifest = try pipeline.prepare(reader, into: output, progress: { show($0, on: bar) })
    bar.finish()
    let (train, apart) = (manifest.train, manifest.validation)
    let seconds = start.duration(to: .now).seconds
    let results = Results(
      folder: output, manifest: manifest,
      bytesPerToken: Double(train.bytes + apart.bytes) / Double(max(1, train.tokens + apart.tokens)), seconds: seconds)
    try report.print(
      results,
      text: """
        \(output): \(shortCount(train.tokens)) tokens in \(counted(train.documents, "document")) to train on, \
        \(shortCount(apart.tokens)) in \(counted(apart.documents, "document")) for validation, \
        \(String(format: "%.2f", results.bytesPerToken)) bytes a token, in \(String(format: "%.1f", seconds)) s\
        \(reader.progress.remarks)
        """)
  }
  private func prepare(
    _ part: CorpusPart, of reader: CorpusReader, with pipeline: TextPipeline, start: ContinuousClock.Instant
  ) throws {
    let partReader = try reader.reader(of: part)
    let bar = ProgressBar(label: "tokenizing \(part)", total: partReader.progress.totalBytes)
    Interruption.watch()
    let manifest = try pipeline.preparePart(partReader, into: output, progress: { show($0, on: bar) })
    bar.finish()
    let content = manifest.content
    let seconds = start.duration(to: .now).seconds
    try report.print(
      PartResults(folder: output, manifest: manifest, seconds: seconds),
      text: """
        \(output): \(part), \(shortCount(content.tokens)) tokens in \(counted(content.documents, "document")), \
        in \(String(format: "%.1f", seconds)) s\(partReader.progress.remarks)
        """)
  }

  private func show(_ event: PreparationEvent, on bar: ProgressBar) -> Decision {
    if case .encoded(let progress, let tokens) = event {
      bar.update(
        completed: progress.bytesRead,
        detail: "\(counted(progress.documents, "document")), \(shortCount(tokens)) tokens")
    }
    return Interruption.isRequested ? .stop : .continue
  }
}

extension CorpusPart: ExpressibleByArgument {
  /// Reads `I/N`; nil for any other text.
  public init?(argument: String) { self.init(argument) }
}

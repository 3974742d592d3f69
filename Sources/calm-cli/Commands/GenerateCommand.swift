import ArgumentParser
import CALM
import CALMSupport
import CALMTerminal
import CALMTokenizer
import Foundation

/// `calm generate`: writes text with a language model.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Write text with a language model.",
    discussion: """
      Prints the prompt and its continuation, chunk by chunk. Without a prompt the model starts a new document. A \
      temperature below 1 favors likelier text. An autoregressive Transformer and a model with a tokens head have \
      probabilities of tokens: they are sampled by logits, the temperature may be above 1, and --top-k and --top-p \
      limit the choice to the likeliest tokens. Other models can only be sampled: the batch sampler chooses among \
      candidates, the exact sampler samples until enough samples agree. The same seed and number of threads give the \
      same text.

      Example:
        calm generate runs/lm/model --prompt "Once upon a time" --temperature 1/3
        calm generate runs/lm/model --prompt-file start.txt --num-samples 8 --json
        calm generate runs/transformer/model --temperature 0.8 --top-p 0.95
      """)

  @Argument(help: ArgumentHelp("Language model folder.", valueName: "model"))
  var folder: String

  @Option(help: "Text to continue.")
  var prompt: String?

  @Option(
    help: ArgumentHelp(
      "File with the text to continue, without its final newline; - reads standard input.", valueName: "file"))
  var promptFile: String?

  @Option(
    help: ArgumentHelp(
      "Temperature above 0, as a number or a fraction such as 1/3; above 1 only by logits.", valueName: "t"))
  var temperature = "0.5"

  @Option(help: "How to sample at a temperature. (default: logits if the model has them, else batch)")
  var sampler: GenerationOptions.Sampler?

  @Option(
    help: ArgumentHelp("Chunks among which the batch sampler chooses. (default: 200)", valueName: "n"))
  var candidates: Int?

  @Option(
    help: ArgumentHelp(
      "Maximum samples per chunk, for the exact sampler and when conditioning on a partial prompt chunk. "
        + "(default: 20000)",
      valueName: "n"))
  var maxSamples: Int?

  @Option(help: ArgumentHelp("By logits: sample among this many of the likeliest tokens.", valueName: "n"))
  var topK: Int?

  @Option(
    help: ArgumentHelp(
      "By logits: sample among the fewest tokens whose probabilities sum to this (nucleus sampling).",
      valueName: "p"))
  var topP: Double?

  @Option(help: ArgumentHelp("Maximum number of tokens to generate.", valueName: "n"))
  var maxNewTokens = 256

  @Option(help: ArgumentHelp("Number of texts to generate, each sampled independently.", valueName: "n"))
  var numSamples = 1

  @Option(help: ArgumentHelp("Random seed.", valueName: "n"))
  var seed: UInt64 = 0

  @Flag(name: .customLong("continue-text"), help: "The prompt is from the middle of a document, not its start.")
  var continuesText = false

  @Option(help: ArgumentHelp("Tokenizer, if not the one in the model's folder.", valueName: "path"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Autoencoder folder, if not the one in the model's folder.", valueName: "folder"))
  var autoencoder: String?

  @Flag(name: .shortAndLong, help: "Print device, precision and speed on standard error.")
  var verbose = false

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  private func options() throws -> GenerationOptions {
    let standard = GenerationOptions()
    return try GenerationOptions(
      temperature: Temperature.number(parsing: temperature), sampler: sampler,
      candidates: candidates ?? standard.candidates, maximumSamples: maxSamples ?? standard.maximumSamples,
      topK: topK, topP: topP, maximumTokens: maxNewTokens, sequences: numSamples, seed: seed,
      continuesText: continuesText)
  }

  func validate() throws {
    if prompt != nil && promptFile != nil { throw ValidationError("give --prompt or --prompt-file, not both") }
    do { try options().validate() } catch { throw usageError(error) }
    try refuse(idleOptions(isOne: Temperature.number(parsing: temperature) == 1))
  }

  /// The options that have no effect with any model.
  ///
  /// - Parameter isOne: whether the temperature is 1, which needs no candidates.
  private func idleOptions(isOne: Bool) -> [String] {
    let (hasPrompt, isExact) = (prompt != nil || promptFile != nil, sampler == .exact && !isOne)
    return withoutEffect("at temperature 1", when: isOne, ["--sampler": sampler, "--candidates": candidates])
      + withoutEffect("with --sampler exact", when: isExact, ["--candidates": candidates])
      + withoutEffect(
        "without a prompt or --sampler exact", when: !hasPrompt && !isExact, ["--max-samples": maxSamples])
      + withoutEffect("without a prompt", when: !hasPrompt, ["--continue-text": continuesText.ifGiven])
  }

  private func usageError(_ error: any Error) -> ValidationError {
    ValidationError("\(error)" + optionHint(for: error, of: self))
  }

  func run() throws {
    let setting = try compute.prepare()
    let modelFolder = try ModelFolder(URL(fileURLWithPath: folder))
    let prompt = try promptFile.map(PromptFile.read) ?? prompt ?? ""
    let makeGenerator = try loadModel(modelFolder, setting)

    Interruption.watch()
    let start = ContinuousClock.now
    let generator = try makeGenerator(prompt)
    let streams = numSamples == 1 && !report.isJSON
    if streams {
      try StandardOutput.write(prompt)
      // Also ends the line before an error message.
      defer { try? StandardOutput.write("\n") }
      while !Interruption.isRequested, let pieces = try generator.step() { try StandardOutput.write(pieces[0].text) }
    } else {
      while try !Interruption.isRequested && generator.step() != nil {}
    }
    let generated = GeneratedTexts(generator, prompt: prompt, seconds: start.duration(to: .now).seconds)
    if !streams { try report.print(generated.results, text: generated.listing) }
    if let remark = generated.remark(maximumSamples: maxSamples ?? GenerationOptions().maximumSamples) {
      StandardError.note(remark)
    }
    if verbose { StandardError.note("\(generated.speed); \(setting.summary)") }
    // The status that a shell expects of an interrupted program.
    if Interruption.isRequested { throw ExitCode(130) }
  }

  /// Loads a model of either kind, and returns the function that starts a text with it.
  private func loadModel(_ folder: ModelFolder, _ setting: ComputeSetting) throws -> (String) throws -> TextGenerator {
    let options = try options()
    if folder.kind == .autoregressive {
      try refuseOptionsOfContinuousModels(for: folder)
      _ = try chosenSampler(among: AutoregressiveConfiguration.samplers)
      let sizes = try folder.autoregressiveConfiguration()
      let tokenizer = try loadTokenizer(folder, vocabularySize: sizes.vocabularySize, padding: sizes.special.padding)
      let model = try folder.loadAutoregressiveModel(device: setting.device, as: setting.precision)
      return { try TextGenerator(model, tokenizer: tokenizer, prompt: $0, options: options) }
    }
    let sizes = try folder.languageModelConfiguration()
    try refuseOptions(for: folder, sizes)
    let tokenizer = try loadTokenizer(folder, vocabularySize: sizes.vocabularySize, padding: sizes.special.padding)
    let model = try folder.loadLanguageModel(
      autoencoder: autoencoder.map { URL(fileURLWithPath: $0) }, device: setting.device,
      as: setting.precision)
    return { try TextGenerator(model, tokenizer: tokenizer, prompt: $0, options: options) }
  }

  /// Refuses the options that only continuous models have.
  private func refuseOptionsOfContinuousModels(for folder: ModelFolder) throws {
    let given = [
      ("--sampler", sampler != nil && sampler != .logits), ("--candidates", candidates != nil),
      ("--max-samples", maxSamples != nil), ("--autoencoder", autoencoder != nil),
    ]
    if let option = given.first(where: \.1)?.0 {
      throw InputError.otherKind(model: folder.url.path, option: option, kind: folder.kind, needed: .languageModel)
    }
  }

  /// Refuses the options that have no effect with a continuous model.
  private func refuseOptions(for folder: ModelFolder, _ sizes: LanguageModelConfiguration) throws {
    let limits = [("--top-k", topK != nil), ("--top-p", topP != nil)]
    if let option = limits.first(where: \.1)?.0, !sizes.samplers.contains(.logits) {
      throw InputError.noProbabilities(model: folder.url.path, option: option, head: sizes.head)
    }
    let idle = [("--candidates", candidates != nil), ("--max-samples", maxSamples != nil)]
    if try chosenSampler(among: sizes.samplers) == .logits, let option = idle.first(where: \.1)?.0 {
      throw InputError.sampledByLogits(model: folder.url.path, option: option)
    }
  }

  private func chosenSampler(among samplers: [GenerationOptions.Sampler]) throws -> GenerationOptions.Sampler {
    do {
      return try options().chosenSampler(among: samplers)
    } catch let error as TemperatureError {
      throw usageError(error)
    }
  }

  private func loadTokenizer(_ modelFolder: ModelFolder, vocabularySize: Int, padding: Int?) throws -> Tokenizer {
    var tokenizer = try tokenizer.map { try Tokenizer(contentsOf: URL(fileURLWithPath: $0)) } ?? modelFolder.tokenizer()
    // The official models add a pad token that the files of the Llama 3 tokenizer do not contain.
    if padding == tokenizer.vocabularySize { tokenizer = try tokenizer.withPadToken() }
    guard tokenizer.vocabularySize <= vocabularySize else {
      throw ModelError.tokenizerMismatch(
        self.tokenizer ?? folder, tokenizer: tokenizer.vocabularySize, model: vocabularySize)
    }
    return tokenizer
  }
}

extension GenerationOptions.Sampler: ExpressibleByArgument {}

import ArgumentParser
import CALM
import CALMTerminal
import CALMTraining
import Foundation

/// What every training takes: its folders, its length, its rates.
struct TrainingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A YAML or JSON file of settings: these options, with underscores. What is given here goes before it.",
      valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "A folder that 'calm data prepare' made; several may be given, each with its share: --data A:0.7 --data B:0.3.",
      valueName: "folder"))
  var data: [String] = []

  @Option(help: ArgumentHelp("The folder of the new run.", valueName: "folder"))
  var out: String?

  @Option(
    help: ArgumentHelp(
      "Go on with the run in this folder, or from this checkpoint; settings stay, limits and threads may be changed.",
      valueName: "run"))
  var resume: String?

  @Option(
    help: ArgumentHelp(
      "Begin with the weights of this model, official or trained here, instead of fresh ones; its sizes are taken over.",
      valueName: "model"))
  var initFrom: String?

  @Option(name: [.long, .customLong("max-steps")], count: "Optimizer steps.")
  var steps: Int?

  @Option(
    count: "Tokens to train on, all steps together: the run and its schedule end with the step that reaches them.")
  var maxTokens: Int?

  @Option(
    help: ArgumentHelp(
      "End after this time (90s, 30m, 8h), counted anew when a run goes on; the schedule does not feel it.",
      valueName: "time"), transform: duration)
  var maxTime: Double?

  @Option(name: [.long, .customLong("batch")], count: "Blocks in a step.")
  var batchSize: Int?

  @Option(count: "Compute a step's blocks in this many parts, one after the other, for less memory.")
  var accumulate: Int?

  @Option(count: "Chunks in a block: the context that training sees (tokens, for a Transformer).")
  var sequenceChunks: Int?

  @Option(count: "Tokens in a block, in place of --block-chunks: a multiple of the chunk.")
  var sequenceTokens: Int?

  @Option(
    help: ArgumentHelp("The highest learning rate.", valueName: "rate"),
    transform: number("above 0 and below 10") { $0 > 0 && $0 < 10 })
  var learningRate: Double?

  @Option(help: "What the learning rate does after the warm-up.")
  var schedule: LearningRateSchedule.Shape?

  @Option(count: "Steps in which the learning rate rises to its highest.", from: 0)
  var warmupSteps: Int?

  @Option(
    help: ArgumentHelp("The last share of the steps, in which stable-decay falls; by default 0.5.", valueName: "share"),
    transform: number("above 0 and at most 1") { $0 > 0 && $0 <= 1 })
  var decayShare: Double?

  @Option(
    help: ArgumentHelp("The share of a matrix that a step takes away, times the learning rate.", valueName: "w"),
    transform: amount)
  var weightDecay: Double?

  @Option(
    help: ArgumentHelp("Scale down gradients whose norm is larger; by default 1, 0 clips nothing.", valueName: "norm"),
    transform: amount)
  var gradientClip: Double?

  @Option(
    help: ArgumentHelp(
      "Keep a moving average of the weights with this decay, such as 0.999: it is evaluated and becomes the model.",
      valueName: "decay"), transform: number("above 0 and below 1") { $0 > 0 && $0 < 1 })
  var ema: Double?

  @Flag(
    inversion: .prefixedNo,
    help: "Compute the Transformer's layers again in the backward pass, for less memory; not with an autoencoder.")
  var gradientCheckpointing = false

  @Option(
    count: "Batches in a row that may be left out for a loss or gradient that is not finite; by default 20.", from: 0)
  var skipLimit: Int?

  @Option(help: ArgumentHelp("Decides initial weights, order of the data and all noise.", valueName: "n"))
  var seed: UInt64?

  @Option(count: "Steps between lines of metrics.")
  var logEvery: Int?

  @Option(count: "Steps between evaluations; 0: only after the last.", from: 0)
  var evaluateEvery: Int?

  @Option(count: "Blocks of held-out text in each evaluation, always the same; by default 64.")
  var evaluationBlocks: Int?

  @Option(count: "Steps between checkpoints; 0: only after the last.", from: 0)
  var checkpointEvery: Int?

  @Option(count: "Checkpoints to keep, beside the best; by default 2.")
  var keep: Int?

  @Option(
    help: ArgumentHelp(
      "The figure of the evaluations that says which checkpoint is the run's 'best'; none keeps the latest alone.",
      valueName: "figure"))
  var bestBy: String?

  @Flag(help: "Print the resolved settings, as run.json holds them, and train nothing.")
  var printSettings = false

  @OptionGroup var processes: ProcessOptions
  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: ReportOptions

  /// Refuses settings that contradict each other or do not suffice, all of them at once.
  ///
  /// What a run that goes on may not be told is refused before: see ``SettingsArguments``.
  ///
  /// - Parameters:
  ///   - usual: the settings of a new run where these say nothing.
  ///   - figures: those of the evaluations.
  ///   - auxiliaryWarmupSteps: steps of a lead-in.
  ///   - others: what else the command has found.
  /// - Throws: a usage error.
  func check(usual: TrainingSettings, figures: [String], auxiliaryWarmupSteps: Int = 0, others: [String]) throws {
    let own = resume == nil ? problems(usual: usual, figures: figures, auxiliaryWarmupSteps: auxiliaryWarmupSteps) : []
    try refuse(own + processes.problems + others)
  }

  private func problems(usual: TrainingSettings, figures: [String], auxiliaryWarmupSteps: Int) -> [String] {
    var problems: [String] = []
    if data.isEmpty { problems.append("name the prepared data with --data, or a run with --resume") }
    if out == nil { problems.append("name the folder of the new run with --out") }
    for entry in data {
      do { _ = try RunRecord.Corpus(parsing: entry) } catch { problems.append("\(error)") }
    }
    if sequenceChunks != nil && sequenceTokens != nil {
      problems.append("--block-chunks and --block-tokens say the same; give one")
    }
    if let accumulate, let batchSize, batchSize % accumulate != 0 {
      problems.append("--batch-size \(batchSize) cannot be cut into the \(accumulate) parts of --accumulate")
    }
    let shape = schedule ?? usual.schedule.shape
    problems += withoutEffect(
      "with --schedule \(shape.rawValue)", when: shape != .stableDecay, ["--decay-share": decayShare])
    if let steps = steps ?? (maxTokens == nil ? usual.steps : nil) {
      problems += tooLong(auxiliaryWarmupSteps: auxiliaryWarmupSteps, for: steps)
    }
    if let bestBy, bestBy != "none", !figures.contains(bestBy) {
      problems.append("--best-by must be one of \(figures.joined(separator: ", ")) and none, not \(bestBy)")
    }
    return problems
  }

  /// What comes before the training proper, where it takes all `steps` of the run.
  func tooLong(auxiliaryWarmupSteps: Int, for steps: Int) -> [String] {
    [("--warmup-steps", warmupSteps ?? 0), ("--lead-in", auxiliaryWarmupSteps)].filter { $0.1 > 0 && $0.1 >= steps }.map
    {
      "\($0.0) \($0.1) takes all \(steps) steps of the run; make it shorter, or the run longer"
    }
  }

  /// The run to go on with, or its checkpoint: what --resume names. A process that a launcher has started anew goes on
  /// with the run itself, also where its options begin one: the checkpoint that they name may be gone, and the run has
  /// come further.
  ///
  /// - Throws: ``TrainingError`` where there is no such run.
  func runToContinue() throws -> URL? {
    let named = resume.map { URL(fileURLWithPath: $0) }
    guard LaunchedProcess.isRestart else { return named }
    if let named { return try RunFolder.locate(named).run.url }
    guard let begun = out.map({ URL(fileURLWithPath: $0) }),
      FileManager.default.fileExists(atPath: RunFolder(at: begun).recordURL.path)
    else { return nil }
    return begun
  }

  /// The corpora of `--data`.
  func corpora() throws -> [RunRecord.Corpus] { try data.map { try RunRecord.Corpus(parsing: $0) } }

  /// Refuses sizes on the command line that are not those of the model to begin with.
  func agree(_ sizes: [(name: String, given: Int?, model: Int)]) throws {
    for size in sizes { try agree(size.name, size.given, size.model) }
  }

  /// Refuses a setting on the command line that is not that of the model to begin with.
  func agree<Value: Equatable>(_ name: String, _ given: Value?, _ model: Value) throws {
    if let given, given != model {
      throw InputError.otherSetting(model: initFrom ?? "", name: name, given: "\(given)", value: "\(model)")
    }
  }

  /// The settings of a new run: what was given, the rest from `usual`.
  ///
  /// - Parameters:
  ///   - chunkSize: that of the model.
  ///   - figures: those of the evaluations, the one first that says which checkpoint is best.
  func settings(
    _ usual: TrainingSettings, chunkSize: Int, figures: [String], precision: ComputeSetting
  ) throws -> TrainingSettings {
    var settings = usual
    if let steps { settings.steps = steps }
    settings.maximumTokens = maxTokens
    settings.maximumSeconds = maxTime
    if let batchSize { settings.batchSize = batchSize }
    if let accumulate { settings.gradientAccumulation = accumulate }
    if let sequenceChunks { settings.sequenceChunks = sequenceChunks }
    if let sequenceTokens {
      guard sequenceTokens % chunkSize == 0, sequenceTokens > chunkSize else {
        throw ValidationError("--block-tokens \(sequenceTokens) is not several chunks of \(chunkSize) tokens")
      }
      settings.sequenceChunks = sequenceTokens / chunkSize
    }
    // Where tokens are named and steps are not, the tokens alone say how long.
    let ofTokens = settings.stepsOfTokens(chunkSize: chunkSize)
    if steps == nil, let ofTokens { settings.steps = ofTokens }
    let planned = min(settings.steps, ofTokens ?? .max)
    if let learningRate { settings.schedule.peak = learningRate }
    if let schedule { settings.schedule.shape = schedule }
    settings.schedule.warmupSteps = warmupSteps ?? min(usual.schedule.warmupSteps, max(1, planned / 10))
    if let decayShare { settings.schedule.decayShare = decayShare }
    if let weightDecay { settings.optimizer.weightDecay = weightDecay }
    if let gradientClip { settings.gradientClip = gradientClip }
    settings.emaDecay = ema
    settings.gradientCheckpointing = gradientCheckpointing
    if let skipLimit { settings.skipLimit = skipLimit }
    if let seed { settings.seed = seed }
    if let logEvery { settings.logInterval = logEvery }
    settings.evaluationInterval = evaluateEvery ?? max(1, planned / 10)
    if let evaluationBlocks { settings.evaluationBlocks = evaluationBlocks }
    settings.checkpointInterval = checkpointEvery ?? max(1, planned / 5)
    if let keep { settings.checkpointsToKeep = keep }
    settings.bestBy = bestBy == "none" ? nil : bestBy ?? figures.first
    settings.precision = precision.precision
    return settings
  }
}

extension LearningRateSchedule.Shape: ExpressibleByArgument {}

import ArgumentParser
import CALM
import Foundation
import Torch
import Training

/// `calm train transformer`.
struct TrainTransformer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transformer",
    abstract: "Train the autoregressive baseline: a Llama Transformer that predicts the next token.",
    discussion: """
      Its Transformer is that of 'calm train calm'. What is written loads in Hugging Face transformers as \
      LlamaForCausalLM. A chunk is a token here: --block-chunks 256 is a context of 256 tokens.

      Example:
        calm train transformer --data data --out runs/transformer
        calm train transformer --data data --out runs/s --preset transformer-s
        calm train transformer --data more --init-from runs/transformer/model --out runs/second
      """)

  private static let presets = Preset.allCases.filter { $0.autoregressive != nil }.map(\.rawValue)
    .joined(separator: ", ")

  @OptionGroup var training: TrainingOptions

  @Option(help: "Sizes of the paper: \(presets). What else is said goes before it.")
  var preset: Preset?

  @OptionGroup var sizes: TransformerOptions

  @Flag(inversion: .prefixedNo, help: "Use the embedding matrix for the logits too.")
  var tieEmbeddings = false

  private static let usual = TrainingSettings(
    steps: 5000, batchSize: 16, blockChunks: 256, schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
  private static let figures = ["cross_entropy", "perplexity", "brier_lm"]

  func validate() throws {
    var problems: [String] = []
    if training.initFrom == nil {
      do { _ = try shape() } catch { problems.append("\(error)") }
    } else if preset != nil {
      problems.append("--preset does not go with --init-from, which takes over the sizes of its model")
    }
    try training.check(usual: Self.usual, figures: Self.figures, others: problems)
  }

  private func shape() throws -> TransformerShape {
    guard let preset else { return try sizes.shape() }
    guard let model = preset.autoregressive else {
      throw ValidationError("--preset must be one of \(Self.presets), not \(preset.rawValue)")
    }
    return try sizes.shape(usual: model.transformer)
  }

  func run() throws {
    try train(training, label: "transformer", usual: Self.usual, figures: Self.figures) { data in
      .autoregressive(try training.initFrom.map(configuration(of:)) ?? configuration(for: TrainingData(path: data)))
    }
  }

  private func configuration(for data: TrainingData) throws -> AutoregressiveConfiguration {
    AutoregressiveConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, transformer: try shape(), tiesEmbeddings: tieEmbeddings,
      special: data.specialWithoutStandIn)
  }

  /// That of the model to begin with.
  private func configuration(of folder: String) throws -> AutoregressiveConfiguration {
    var configuration = try ModelFolder(URL(fileURLWithPath: folder)).autoregressiveConfiguration()
    try training.agree(sizes.beside(configuration.transformer))
    try training.agree("--tie-embeddings", tieEmbeddings ? true : nil, configuration.tiesEmbeddings)
    configuration.hasDocumentEnds = true
    return configuration
  }
}

extension Preset {
  /// The configuration of an autoregressive Transformer; nil of other models.
  fileprivate var autoregressive: AutoregressiveConfiguration? {
    if case .autoregressive(let model) = model { model } else { nil }
  }
}

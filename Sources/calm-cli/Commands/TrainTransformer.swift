import ArgumentParser
import CALM
import CALMTerminal
import CALMTraining
import Foundation
import Torch

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

  @OptionGroup var training: TrainingOptions

  @OptionGroup var sizes: TransformerOptions

  @Flag(inversion: .prefixedNo, help: "Use the embedding matrix for the logits too; by default not.")
  var tieEmbeddings: Bool?

  private static let usual = TrainingSettings(
    steps: 5000, batchSize: 16, sequenceChunks: 256, schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
  private static let figures = ["cross_entropy", "perplexity", "brier_lm"]

  func validate() throws {
    var problems: [String] = []
    do {
      let preset = try sizes.preset(as: \.autoregressive, beginsWith: training.initFrom)
      if training.initFrom == nil { _ = try sizes.shape(usual: preset?.transformer) }
    } catch {
      problems.append("\(error)")
    }
    try training.check(usual: Self.usual, figures: Self.figures, others: problems)
  }

  func run() throws {
    try train(training, label: "transformer", usual: Self.usual, figures: Self.figures) { data in
      .autoregressive(try training.initFrom.map(configuration(of:)) ?? configuration(for: TrainingData(path: data)))
    }
  }

  private func configuration(for data: TrainingData) throws -> AutoregressiveConfiguration {
    let preset = try sizes.preset(as: \.autoregressive, beginsWith: nil)
    return AutoregressiveConfiguration(
      vocabularySize: data.tokenizer.vocabularySize, transformer: try sizes.shape(usual: preset?.transformer),
      tiesEmbeddings: tieEmbeddings ?? false,
      special: data.specialWithoutStandIn)
  }

  /// That of the model to begin with.
  private func configuration(of folder: String) throws -> AutoregressiveConfiguration {
    var configuration = try ModelFolder(URL(fileURLWithPath: folder)).autoregressiveConfiguration()
    try training.agree(sizes.beside(configuration.transformer))
    try training.agree("--separate-documents", sizes.separateDocuments, configuration.transformer.separatesDocuments)
    try training.agree("--tie-embeddings", tieEmbeddings, configuration.tiesEmbeddings)
    configuration.hasDocumentEnds = true
    return configuration
  }
}

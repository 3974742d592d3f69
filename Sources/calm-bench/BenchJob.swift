import ArgumentParser
import CALM
import CALMTerminal

/// The work that is timed.
enum BenchJob: String, ExpressibleByArgument, CaseIterable, Codable {
  case trainLanguageModel = "train-lm"
  case trainFlow = "train-flow"
  case trainPosterior = "train-posterior"
  case trainTokens = "train-tokens"
  case trainTransformer = "train-transformer"
  case trainAutoencoder = "train-ae"
  case generate
  case generatePosterior = "generate-posterior"
  /// A posterior head that samples in one step, as after distillation.
  case generateOneStep = "generate-one-step"
  case generateTokens = "generate-tokens"
  case generateTransformer = "generate-transformer"
  /// All samples are equal, as with the official initial weights: the first few determine each chunk.
  case generateHalfEqual = "generate-half-equal"
  /// Samples of random weights, which rarely agree: none is decoded beyond its first token.
  case generateHalf = "generate-half"
  /// Samples that differ only in the last token, so every token of each is decoded: the most work.
  case generateHalfLate = "generate-half-late"
  case evaluate
  case tokenizer
  case data

  static let names = allCases.map(\.rawValue).joined(separator: ", ")

  /// The title of the job's row in the table.
  var title: String {
    switch self {
    case .trainLanguageModel: "language model, training step"
    case .trainFlow: "with the flow head, training step"
    case .trainPosterior: "with the posterior head, training step"
    case .trainTokens: "with the tokens head, training step"
    case .trainTransformer: "Transformer baseline, training step"
    case .trainAutoencoder: "autoencoder, training step"
    case .generate: "generation, T = 1"
    case .generatePosterior: "with the posterior head, T = 1"
    case .generateOneStep: "with the one-step posterior head, T = 1"
    case .generateTokens: "with the tokens head, T = 1"
    case .generateTransformer: "Transformer baseline, generation, T = 1"
    case .generateHalfEqual: "generation, T = ½, samples equal"
    case .generateHalf: "generation, T = ½, samples differ"
    case .generateHalfLate: "generation, T = ½, samples differ late"
    case .evaluate: "BrierLM evaluation"
    case .tokenizer: "tokenizer, encoding"
    case .data: "data preparation"
    }
  }

  /// The head of the language model.
  var head: HeadKind {
    switch self {
    case .trainFlow: .flow
    case .trainPosterior, .generatePosterior, .generateOneStep: .posterior
    case .trainTokens, .generateTokens: .tokens
    default: .energy
    }
  }

  /// The name of the job in `scripts/time-official.py`, whose time does not depend on the samples; nil for models that
  /// the official code does not have.
  var officialName: String? {
    switch self {
    case .generateHalfEqual, .generateHalf, .generateHalfLate: BenchJob.generateHalf.rawValue
    case .trainPosterior, .trainTokens, .generatePosterior, .generateOneStep, .generateTokens: nil
    default: rawValue
    }
  }

  var isTraining: Bool { rawValue.hasPrefix("train-") }
  var readsText: Bool { self == .tokenizer || self == .data }
  var generates: Bool { rawValue.hasPrefix("generate") }
  /// Whether the job chooses each chunk among candidates.
  var usesCandidates: Bool { [.generateHalf, .generateHalfEqual, .generateHalfLate].contains(self) }
}

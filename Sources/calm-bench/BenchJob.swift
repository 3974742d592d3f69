import ArgumentParser
import CALMTerminal

/// The work that is timed.
enum BenchJob: String, ExpressibleByArgument, CaseIterable, Codable {
  case trainLanguageModel = "train-lm"
  case trainAutoencoder = "train-ae"
  case generate
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
    case .trainAutoencoder: "autoencoder, training step"
    case .generate: "generation, T = 1"
    case .generateHalfEqual: "generation, T = ½, samples equal"
    case .generateHalf: "generation, T = ½, samples differ"
    case .generateHalfLate: "generation, T = ½, samples differ late"
    case .evaluate: "BrierLM evaluation"
    case .tokenizer: "tokenizer, encoding"
    case .data: "data preparation"
    }
  }

  /// The name of the job in `scripts/time-official.py`, whose time does not depend on the samples.
  var officialName: String {
    switch self {
    case .generateHalfEqual, .generateHalf, .generateHalfLate: BenchJob.generateHalf.rawValue
    default: rawValue
    }
  }

  var isTraining: Bool { self == .trainLanguageModel || self == .trainAutoencoder }
  var readsText: Bool { self == .tokenizer || self == .data }
  var generates: Bool { usesCandidates || self == .generate }
  /// Whether the job chooses each chunk among candidates.
  var usesCandidates: Bool { [.generateHalf, .generateHalfEqual, .generateHalfLate].contains(self) }
}

import ArgumentParser
import CALMTerminal

/// What is timed.
enum BenchJob: String, ExpressibleByArgument, CaseIterable, Codable {
  case trainLanguageModel = "train-lm"
  case trainAutoencoder = "train-ae"
  case generate
  /// Draws that are all alike, as of the official fresh weights: the first few settle each chunk.
  case generateHalfAlike = "generate-half-alike"
  /// Draws of random weights, which hardly agree: none is decoded beyond its first token.
  case generateHalf = "generate-half"
  /// Draws that agree in all tokens but the last, so that every token of each is decoded: the most work.
  case generateHalfLate = "generate-half-late"
  case evaluate
  case tokenizer
  case data

  static let names = allCases.map(\.rawValue).joined(separator: ", ")

  /// For people.
  var title: String {
    switch self {
    case .trainLanguageModel: "language model, training step"
    case .trainAutoencoder: "autoencoder, training step"
    case .generate: "generation, T = 1"
    case .generateHalfAlike: "generation, T = ½, draws alike"
    case .generateHalf: "generation, T = ½, draws differ"
    case .generateHalfLate: "generation, T = ½, draws part late"
    case .evaluate: "BrierLM evaluation"
    case .tokenizer: "tokenizer, encoding"
    case .data: "data preparation"
    }
  }

  /// What `scripts/time-official.py` calls it. Its time does not depend on what is drawn.
  var officialName: String {
    switch self {
    case .generateHalfAlike, .generateHalf, .generateHalfLate: BenchJob.generateHalf.rawValue
    default: rawValue
    }
  }

  var isTraining: Bool { self == .trainLanguageModel || self == .trainAutoencoder }
  var readsText: Bool { self == .tokenizer || self == .data }
  var generates: Bool { choosesFromPool || self == .generate }
  /// Whether it chooses each chunk from a pool of draws.
  var choosesFromPool: Bool { [.generateHalf, .generateHalfAlike, .generateHalfLate].contains(self) }
}

import ArgumentParser

/// What is timed.
enum BenchJob: String, ExpressibleByArgument, CaseIterable, Codable {
  case trainLanguageModel = "train-lm"
  case trainAutoencoder = "train-ae"
  case generate
  /// Draws that are all alike, so that no chunk can be dropped before it is decoded to its end: the most work.
  case generateHalfAlike = "generate-half-alike"
  /// Draws of random weights, which hardly agree: the least work.
  case generateHalf = "generate-half"
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
    case .evaluate: "BrierLM evaluation"
    case .tokenizer: "tokenizer, encoding"
    case .data: "data preparation"
    }
  }

  /// What `scripts/time-official.py` calls it. Its time does not depend on what is drawn.
  var officialName: String { self == .generateHalfAlike ? BenchJob.generateHalf.rawValue : rawValue }

  var isTraining: Bool { self == .trainLanguageModel || self == .trainAutoencoder }
  var readsText: Bool { self == .tokenizer || self == .data }
}

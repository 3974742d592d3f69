import CALM
import CALMReports
import CALMTraining
import Foundation

/// What one training of an experiment came to: a row of its table.
public struct ExperimentResult: Codable, Sendable {
  /// The run.
  public let name: String
  /// `autoencoder`, `transformer`, or a continuous model's head.
  public let kind: String
  /// K.
  public let chunkSize: Int
  /// Parameters that were trained.
  public let parameters: Int
  /// What the training cost.
  public var training: TrainingCost
  /// FLOPs to generate a token.
  public let inferenceFlopsPerToken: Double
  /// BrierLM with its parts; nil of an autoencoder.
  public var brierLM: BrierLM?
  /// Nats a token, of an autoregressive model.
  public var crossEntropy: Double?
  /// Pearson's correlation of BrierLM with cross-entropy across the evaluations in the training of an autoregressive
  /// model.
  public var crossEntropyCorrelation: Double?
  /// Of a continuous model.
  public var energyScore: Double?
  /// Of an autoencoder.
  public var accuracy: [AutoencoderEvaluation.NoiseLevel]?
}

/// FLOPs of a training, counted as ``ModelCost`` says.
public struct TrainingCost: Codable, Sendable {
  /// Of the training of the autoencoder before it.
  public var autoencoder: Double = 0
  /// Steps at the beginning without the head: see ``LanguageModelTask``.
  public var auxiliaryWarmupSteps = 0
  /// Of each of them.
  public var leadInStep: Double = 0
  /// Of each of the others.
  public let step: Double
  /// All steps.
  public let steps: Int

  /// What was spent after so many steps, the autoencoder's training included.
  public func flops(after step: Double) -> Double {
    let without = min(step, Double(auxiliaryWarmupSteps))
    return autoencoder + without * leadInStep + (step - without) * self.step
  }

  /// What the whole training cost, the autoencoder's included.
  public var flops: Double { flops(after: Double(steps)) }
}

/// Results as tables.
public struct ExperimentTable: Sendable {
  private let results: [ExperimentResult]

  /// - Parameter results: a row each.
  public init(_ results: [ExperimentResult]) { self.results = results }

  private static let header = [
    "run", "kind", "K", "parameters", "training FLOPs", "FLOPs/token", "BrierLM", "standard error", "cross-entropy",
    "correlation of both in training", "energy score", "accuracy", "accuracy at noise 0.3",
  ]

  private var rows: [[String]] {
    results.map { result in
      func figure(_ value: Double?, _ format: String) -> String { value.map { String(format: format, $0) } ?? "" }
      func accuracy(_ noise: Double) -> String {
        figure(result.accuracy?.first { $0.noise == noise }?.accuracy, "%.4f")
      }
      return [
        result.name, result.kind, "\(result.chunkSize)", "\(result.parameters)",
        figure(result.training.flops, "%.3g"), figure(result.inferenceFlopsPerToken, "%.3g"),
        figure(result.brierLM?.score, "%.2f"), figure(result.brierLM?.scoreStandardError, "%.2f"),
        figure(result.crossEntropy, "%.4f"), figure(result.crossEntropyCorrelation, "%.3f"),
        figure(result.energyScore, "%.4f"), accuracy(0), accuracy(0.3),
      ]
    }
  }

  /// Comma-separated values with a header; names cannot hold commas or quotes without being quoted.
  public var csv: String {
    ([Self.header] + rows).map { row in
      row.map { cell in
        cell.contains { ",\"\n".contains($0) } ? "\"\(cell.replacingOccurrences(of: "\"", with: "\"\""))\"" : cell
      }.joined(separator: ",") + "\n"
    }.joined()
  }

  /// A Markdown table.
  public var markdown: String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    return line(Self.header) + line(Self.header.map { _ in "---" }) + rows.map(line).joined()
  }
}

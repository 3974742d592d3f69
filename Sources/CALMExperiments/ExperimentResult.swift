import CALM
import CALMReports
import CALMTraining
import Foundation

/// The result of one run of an experiment: a row of its table.
public struct ExperimentResult: Codable, Sendable {
  /// The name of the run.
  public let name: String
  /// `autoencoder`, `transformer`, or the head of a continuous language model.
  public let kind: String
  /// K.
  public let chunkSize: Int
  /// The number of trained parameters.
  public let parameters: Int
  /// The cost of training.
  public var training: TrainingCost
  /// Seconds of the training steps, including those of the autoencoder or the teacher.
  public var trainingSeconds: Double?
  /// FLOPs per generated token.
  public let inferenceFlopsPerToken: Double
  /// The measured speed of generation; nil for an autoencoder, and if the experiment does not measure it.
  public var speed: GenerationSpeed?
  /// BrierLM and its parts; nil for an autoencoder.
  public var brierLM: BrierLM?
  /// Nats per token; autoregressive models only.
  public var crossEntropy: Double?
  /// Pearson's correlation of BrierLM with cross-entropy over the evaluations during training; autoregressive models
  /// only.
  public var crossEntropyCorrelation: Double?
  /// The energy score; continuous language models whose head samples latents only.
  public var energyScore: Double?
  /// The loss of the head in nats per token; continuous language models whose head samples tokens only.
  public var headLoss: Double?
  /// Token accuracy by noise level; autoencoders only.
  public var accuracy: [AutoencoderEvaluation.NoiseLevel]?
}

/// The FLOPs of a training run, as counted by ``ModelCost``.
public struct TrainingCost: Codable, Sendable {
  /// FLOPs of the training of the autoencoder or the teacher.
  public var origin: Double = 0
  /// Steps at the start without the head; see ``LanguageModelTask``.
  public var auxiliaryWarmupSteps = 0
  /// FLOPs of each of those steps.
  public var auxiliaryWarmupStep: Double = 0
  /// FLOPs of each other step.
  public let step: Double
  /// The total number of steps.
  public let steps: Int

  /// FLOPs up to a step, including the training of the autoencoder or the teacher.
  public func flops(after step: Double) -> Double {
    let warmup = min(step, Double(auxiliaryWarmupSteps))
    return origin + warmup * auxiliaryWarmupStep + (step - warmup) * self.step
  }

  /// FLOPs of the whole training, including that of the autoencoder or the teacher.
  public var flops: Double { flops(after: Double(steps)) }
}

/// The results of an experiment as tables.
public struct ExperimentTable: Sendable {
  private let results: [ExperimentResult]

  /// - Parameter results: the rows.
  public init(_ results: [ExperimentResult]) { self.results = results }

  private static let header = [
    "run", "kind", "K", "parameters", "training FLOPs", "training s", "FLOPs/token",
    "tokens/s, T = 1", "tokens/s, T = 1/2", "BrierLM", "standard error",
    "cross-entropy", "correlation with BrierLM", "energy score", "head loss", "accuracy", "accuracy at noise 0.3",
  ]

  private var rows: [[String]] {
    results.map { result in
      func format(_ value: Double?, _ pattern: String) -> String { value.map { String(format: pattern, $0) } ?? "" }
      func accuracy(_ noise: Double) -> String {
        format(result.accuracy?.first { $0.noise == noise }?.accuracy, "%.4f")
      }
      return [
        result.name, result.kind, "\(result.chunkSize)", "\(result.parameters)",
        format(result.training.flops, "%.3g"), format(result.trainingSeconds, "%.0f"),
        format(result.inferenceFlopsPerToken, "%.3g"), format(result.speed?.one, "%.0f"),
        format(result.speed?.half, "%.0f"),
        format(result.brierLM?.score, "%.2f"), format(result.brierLM?.scoreStandardError, "%.2f"),
        format(result.crossEntropy, "%.4f"), format(result.crossEntropyCorrelation, "%.3f"),
        format(result.energyScore, "%.4f"), format(result.headLoss, "%.4f"), accuracy(0), accuracy(0.3),
      ]
    }
  }

  /// Comma-separated values with a header. Cells with commas, quotes or line breaks are quoted.
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

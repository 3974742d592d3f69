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

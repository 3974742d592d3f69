import CALM
import Foundation
import Torch

/// `run.json`: everything a run was told, so that it can be understood, repeated and resumed.
public struct RunRecord: Codable, Sendable {
  /// What is trained.
  public enum Model: Codable, Sendable {
    case autoencoder(AutoencoderConfiguration)
    /// With the folder of the frozen autoencoder, and the steps of ``LanguageModelTask``'s lead-in.
    case languageModel(LanguageModelConfiguration, autoencoder: String, leadIn: Int)
    case autoregressive(AutoregressiveConfiguration)
  }

  /// What is trained, with all sizes.
  public var model: Model
  /// The folder of the model whose weights the run begins with; nil begins with fresh ones.
  public var initialModel: String?
  /// The folder of the prepared data.
  public var data: String
  /// Steps, batches, rates, seed, precision.
  public var settings: TrainingSettings
  /// Threads of an operation: the same seed gives the same numbers on the same count.
  public var threads: Int
  /// Where it runs.
  public var device: String
  /// The program's version.
  public var program: String
  /// The version of libtorch.
  public var libtorch: String

  /// A run on this machine as it is set up now.
  public init(
    model: Model, initialModel: String? = nil, data: String, settings: TrainingSettings, device: Device,
    program: String
  ) {
    self.model = model
    self.initialModel = initialModel
    self.data = data
    self.settings = settings
    self.program = program
    self.device = device.description
    threads = Runtime.threads
    libtorch = Runtime.version
  }
}

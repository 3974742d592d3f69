import CALM
import CALMCorpus

/// The results of a demo. Those of stages that did not run are nil.
public struct DemoResults: Encodable, Sendable {
  /// The duration of a stage.
  public struct Stage: Encodable, Sendable {
    /// The stage.
    public let name: DemoStage
    /// How long it took.
    public let seconds: Double
  }

  /// The folder of the demo.
  public let folder: String
  /// The device that computed.
  public let device: String
  /// The type of the computation.
  public let precision: String
  /// The generative head.
  public let head: String
  /// The stages that ended.
  public internal(set) var stages: [Stage] = []
  /// Documents of the text.
  public internal(set) var documents: Int?
  /// Bytes of the text.
  public internal(set) var bytes: Int?
  /// Tokens in the vocabulary.
  public internal(set) var vocabularySize: Int?
  /// Tokens to train on.
  public internal(set) var trainingTokens: Int?
  /// Tokens held out.
  public internal(set) var validationTokens: Int?
  /// Parameters of the autoencoder; nil if the head needs none.
  public internal(set) var autoencoderParameters: Int?
  /// Evaluation of the autoencoder; nil if there is none or no text was held out.
  public internal(set) var autoencoder: AutoencoderEvaluation?
  /// Parameters of the language model.
  public internal(set) var languageModelParameters: Int?
  /// The last step of the language model's training.
  public internal(set) var languageModelSteps: Int?
  /// The last step of the distillation; nil if there is none.
  public internal(set) var distillationSteps: Int?
  /// The head's loss in the last step of the language model's training.
  public internal(set) var trainingLoss: Double?
  /// Evaluation of the final model; nil if no text was held out.
  public internal(set) var languageModel: LanguageModelEvaluation?
  /// The judgement of the generated stories; nil for other text.
  public internal(set) var report: StoryReport?
  /// The fraction of the stories' sentences that the grammar accepts.
  public internal(set) var acceptedSentences: Double?
  /// The fraction of consistent stories.
  public internal(set) var consistentStories: Double?
  /// The fraction of consistent and complete stories.
  public internal(set) var completeStories: Double?
  /// The temperature of the samples.
  public internal(set) var temperature: String?
  /// The generated texts.
  public internal(set) var samples: [String] = []

  init(folder: String, device: String, precision: String, head: String) {
    (self.folder, self.device, self.precision, self.head) = (folder, device, precision, head)
  }
}

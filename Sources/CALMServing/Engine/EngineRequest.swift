import CALM
import CALMSupport

/// What one request asks of an engine.
package struct EngineRequest: Sendable {
  /// The token ids of each prompt.
  package var prompts: [[Int32]]
  /// How every choice is sampled; the number of sequences is the number of choices for each prompt.
  package var options: GenerationOptions
  /// Texts that end a choice. They are not part of its text.
  package var stops: [String]
  /// Tokens that end a choice. They are not part of its text.
  package var stopTokens: Set<Int32> = []
  /// When the request fails, ended or not; nil for never.
  package var deadline: ContinuousClock.Instant?

  package init(
    prompts: [[Int32]], options: GenerationOptions, stops: [String] = [], deadline: ContinuousClock.Instant? = nil
  ) {
    (self.prompts, self.options, self.stops, self.deadline) = (prompts, options, stops, deadline)
  }

  /// The number of choices for all prompts: first those of the first prompt, then those of the second, ….
  package var choices: Int { prompts.count * options.sequences }
  /// The number of tokens of all prompts.
  package var promptTokens: Int { prompts.reduce(0) { $0 + $1.count } }
}

/// Why a choice ended, in the words of the protocol.
package enum FinishReason: String, Sendable, Encodable {
  /// The model ended the text, or a stop string occurred.
  case stop
  /// The choice has the maximum number of tokens.
  case length
}

/// The text that one step adds to one choice of a request.
package struct EnginePiece: Hashable, Sendable {
  /// The index of the choice, from 0.
  package let choice: Int
  /// Whole characters, without a stop string or text that may begin one. It may be empty.
  package let text: String
  /// The number of tokens that the step generated.
  package let tokens: Int
  /// The number of samples that the chunk took; 0 for a model with probabilities.
  package let samples: Int
  /// Why the choice ends with this piece; nil if it continues.
  package let finish: FinishReason?

  package init(choice: Int, text: String, tokens: Int, samples: Int = 0, finish: FinishReason?) {
    (self.choice, self.text, self.tokens) = (choice, text, tokens)
    (self.samples, self.finish) = (samples, finish)
  }
}

/// The limits of an engine.
package struct EngineLimits: Hashable, Sendable {
  /// The maximum number of sequences that are generated at once.
  package var sequences = 64
  /// The maximum number of sequences that wait, beyond those.
  package var queue = 256
  /// The maximum memory of keys and values, in bytes.
  package var cacheBytes = 1 << 30

  package init(sequences: Int = 64, queue: Int = 256, cacheBytes: Int = 1 << 30) {
    (self.sequences, self.queue, self.cacheBytes) = (sequences, queue, cacheBytes)
  }
}

/// Why an engine does not take or finish a request.
package enum EngineError: DescribedError, Equatable {
  /// The model is not loaded yet.
  case loading
  /// The model could not be loaded.
  case notLoaded(String)
  /// The queue is full.
  case queueFull(waiting: Int)
  /// The request has more choices than sequences can run and wait.
  case tooManyChoices(Int, limit: Int)
  /// The prompt and the requested tokens exceed what the model was made for.
  case tooLong(prompt: Int, requested: Int, limit: Int)
  /// The keys and values of the request exceed the memory for all requests.
  case tooLarge(bytes: Int, limit: Int)
  /// The request took longer than it may.
  case timedOut
  /// The engine is shutting down.
  case stopped

  package var description: String {
    switch self {
    case .loading: "the model is being loaded; try again in a moment"
    case .notLoaded(let reason): "the model could not be loaded: \(reason)"
    case .queueFull(let waiting): "the server is at its capacity, with \(waiting) sequences waiting; try again later"
    case .tooManyChoices(let count, let limit): "a request has at most \(limit) choices in all, not \(count)"
    case .tooLong(let prompt, let requested, let limit):
      "the model's maximum is \(limit) tokens, but the prompt has \(prompt) and \(requested) more are requested; "
        + "shorten one of them"
    case .tooLarge(let bytes, let limit):
      "the request needs \(bytes) bytes of cache, and the server has \(limit) for all requests; "
        + "shorten the prompt or the completion"
    case .timedOut: "the request took longer than the server allows"
    case .stopped: "the server is shutting down"
    }
  }
}

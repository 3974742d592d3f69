/// The limits of a request, whatever the model.
package struct ServingLimits: Hashable, Sendable {
  /// The maximum number of tokens of a prompt.
  package var promptTokens = 8_192
  /// The maximum number of tokens of a choice; the default for chats.
  package var completionTokens = 1_024
  /// The maximum number of prompts.
  package let prompts = 16
  /// The maximum number of choices for each prompt.
  package var choices = 16
  /// The maximum number of stop strings.
  package let stops = 4
  /// The maximum length of a stop string, in Unicode scalars.
  package let stopCharacters = 256
  /// The maximum size of the pool of the batch sampler.
  package let pool = 1_000
  /// The maximum number of samples per chunk, for the exact sampler and for partial prompt chunks.
  package var samples = 2_000
  /// The maximum number of values in a JSON body. Lists of token ids have the most.
  var jsonValues: Int { promptTokens + 10_000 }

  package init() {}
}

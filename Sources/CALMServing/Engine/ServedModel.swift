import CALM
import CALMTokenizer
import Foundation
import Torch

/// A model with its tokenizer, ready for an engine.
package struct ServedModel {
  /// The model.
  package let batch: any BatchModel
  /// What other threads may know of it.
  package let facts: ModelFacts

  /// - Parameter template: the template of chats, in the language of Jinja; nil for none.
  package init(_ batch: any BatchModel, tokenizer: Tokenizer, template: String? = nil) {
    self.batch = batch
    facts = ModelFacts(batch, tokenizer: tokenizer, template: template)
  }

  /// Loads a model of either kind.
  ///
  /// - Parameter autoencoder: the autoencoder's folder, if it is not the one that the model's folder names.
  /// - Throws: ``ModelError``, or the errors of tokenizer files and checkpoints.
  package init(_ folder: ModelFolder, autoencoder: URL? = nil, device: Device, as dtype: DType) throws {
    var tokenizer = try folder.tokenizer()
    let template = ChatForm.template(in: folder.url)
    func fit(vocabularySize: Int, padding: Int?) throws {
      // The official models add a pad token to the tokenizer of Llama 3, whose files do not have it.
      if padding == tokenizer.vocabularySize { tokenizer = try tokenizer.withPadToken() }
      guard tokenizer.vocabularySize <= vocabularySize else {
        throw ModelError.tokenizerMismatch(
          folder.url.path, tokenizer: tokenizer.vocabularySize, model: vocabularySize)
      }
    }
    if folder.kind == .autoregressive {
      let sizes = try folder.autoregressiveConfiguration()
      try fit(vocabularySize: sizes.vocabularySize, padding: sizes.special.padding)
      let model = try folder.loadAutoregressiveModel(device: device, as: dtype)
      self.init(AutoregressiveBatch(model), tokenizer: tokenizer, template: template)
    } else {
      let sizes = try folder.languageModelConfiguration()
      try fit(vocabularySize: sizes.vocabularySize, padding: sizes.special.padding)
      let model = try folder.loadLanguageModel(autoencoder: autoencoder, device: device, as: dtype)
      self.init(ContinuousBatch(model), tokenizer: tokenizer, template: template)
    }
  }
}

/// The facts about a model that do not change.
package struct ModelFacts: Sendable {
  package let tokenizer: Tokenizer
  /// K, or 1 for an autoregressive model.
  package let chunkSize: Int
  /// The maximum number of tokens of a prompt and its completion.
  package let maximumTokens: Int
  /// The memory of keys and values, in bytes per position.
  package let bytesPerPosition: Int
  /// The ways in which the model can be sampled, its own first.
  package let samplers: [GenerationOptions.Sampler]
  /// Whether it computes the probabilities of tokens, so that top-p and temperatures above 1 are possible.
  package var hasProbabilities: Bool { samplers.contains(.logits) }
  /// Whether documents end with a token.
  package let hasDocumentEnds: Bool
  /// How chats become prompts.
  package let chat: ChatForm
  /// Whether the model has a template of chats that is of no known form.
  package let hasUnknownTemplate: Bool

  fileprivate init(_ batch: any BatchModel, tokenizer: Tokenizer, template: String?) {
    self.tokenizer = tokenizer
    (chunkSize, maximumTokens) = (batch.chunkSize, batch.maximumTokens)
    (bytesPerPosition, samplers) = (batch.bytesPerPosition, batch.samplers)
    hasDocumentEnds = batch.hasDocumentEnds
    chat = template.map { ChatForm(template: $0, tokenizer: tokenizer) } ?? .plain
    hasUnknownTemplate = template != nil && chat == .plain
  }

  /// The ids of a prompt. Names of special tokens are ordinary text.
  package func encode(_ text: String) -> [Int32] { prefix + tokenizer.encode(text) }

  /// The ids before a text: models that were trained without end tokens expect the prefix of the tokenizer's template.
  var prefix: [Int32] { hasDocumentEnds ? [] : tokenizer.prefixTokens }

  /// The memory to reserve for a sequence, in bytes: a bound on what its keys and values take.
  package func cacheBytes(prompt: Int, maximumTokens: Int) -> Int {
    // Whole chunks, and one each before the start of a document, after its end and for a cut completion.
    let positions = (prompt + min(maximumTokens, self.maximumTokens)) / chunkSize + 3
    return positions * bytesPerPosition
  }
}

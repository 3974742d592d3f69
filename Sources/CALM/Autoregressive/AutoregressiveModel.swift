import Torch

/// The autoregressive baseline: a Llama Transformer that predicts the next token.
///
/// Ids → embeddings → the Transformer of ``ContinuousLanguageModel`` → logits. Names and sizes are those of Hugging
/// Face's LlamaForCausalLM: each reads the model folders of the other.
public final class AutoregressiveModel: Module {
  @Submodule("model") package var backbone: Backbone
  @Submodule("lm_head") var output: Linear?
  /// The sizes.
  public let configuration: AutoregressiveConfiguration

  /// A model with initial weights.
  public init(_ configuration: AutoregressiveConfiguration, generator: Generator) {
    self.configuration = configuration
    backbone = Backbone(
      configuration.transformer, vocabularySize: configuration.vocabularySize,
      padding: configuration.special.padding, generator: generator)
    output =
      configuration.tiesEmbeddings
      ? nil
      : Linear(
        configuration.transformer.hiddenSize, configuration.vocabularySize, bias: false, generator: generator)
  }

  /// The matrix that turns hidden states into logits, [V, h].
  var outputWeight: Tensor { output?.weight ?? backbone.embedding.weight }

  /// The hidden state after each token, which predicts the next one.
  ///
  /// - Parameter ids: [batch, tokens], int64.
  /// - Returns: [batch, tokens, h].
  public func hiddenStates(_ ids: Tensor) -> Tensor {
    hiddenStates(ids, context: nil)
  }

  package func hiddenStates(_ ids: Tensor, context: Backbone.Context?) -> Tensor {
    let first = configuration.transformer.documentStarts(
      of: ids, chunkSize: 1, special: configuration.special, context: context)
    return backbone(backbone.embedding(ids), from: first, context: context)
  }

  /// The logits of the token after each hidden state: […, h] → […, V], float32.
  public func logits(_ hidden: Tensor) -> Tensor {
    linear(hidden, weight: outputWeight).to(.float32)
  }

  /// The mean cross-entropy of every token but the first of each row, in nats: a float32 scalar.
  ///
  /// - Parameter ids: [batch, tokens], int64; at least two tokens.
  public func loss(_ ids: Tensor) -> Tensor {
    let tokens = ids.shape[1]
    let hidden = hiddenStates(ids.narrowed(1, 0..<tokens - 1))
    return linearCrossEntropy(
      hidden.reshaped(-1, configuration.transformer.hiddenSize), weight: outputWeight,
      targets: ids.narrowed(1, 1..<tokens).contiguous().reshaped(-1))
  }

  /// The mean cross-entropy of the tokens that have labels, in nats: a float32 scalar.
  ///
  /// - Parameters:
  ///   - ids: [batch, tokens], int64; at least two tokens.
  ///   - labels: in the same shape: the true ids, or −100 for tokens that are read but not predicted.
  /// - Precondition: at least one token has a label, not counting the first of each row.
  public func loss(_ ids: Tensor, labels: Tensor) -> Tensor {
    let tokens = ids.shape[1]
    precondition(labels.shape == ids.shape, "labels of shape \(labels.shape) for ids of \(ids.shape)")
    let next = labels.narrowed(1, 1..<tokens).contiguous().reshaped(-1)
    let kept = ContinuousLanguageModel.labelledChunks(next.reshaped(-1, 1))
    precondition(kept.count > 0, "no token has a label")
    let hidden = hiddenStates(ids.narrowed(1, 0..<tokens - 1)).reshaped(-1, configuration.transformer.hiddenSize)
    return linearCrossEntropy(hidden.gathered(0, kept), weight: outputWeight, targets: next.gathered(0, kept))
  }
}

import ArgumentParser
import CALMTraining

/// `calm train transformer`.
struct TrainTransformer: TrainingCommand {
  typealias Settings = TransformerSettings

  static let configuration = CommandConfiguration(
    commandName: "transformer",
    abstract: "Train the autoregressive baseline: a Llama Transformer that predicts the next token.",
    discussion: """
      The Transformer is the same as in 'calm train lm'. The model loads in Hugging Face transformers as \
      LlamaForCausalLM.

      Example:
        calm train transformer --data data --out runs/transformer
        calm train transformer --data data --out runs/s --preset transformer-s
        calm train transformer --data more --init-from runs/transformer/model --out runs/second
      """)

  @OptionGroup var options: TrainOptions
}

import ArgumentParser
import CALMTraining

/// `calm train lm`.
struct TrainLanguageModel: TrainingCommand {
  typealias Settings = LanguageModelSettings

  static let configuration = CommandConfiguration(
    commandName: "lm",
    abstract: "Train a continuous autoregressive language model (CALM) on an autoencoder's latents.",
    discussion: """
      Chunk and latent size come from the autoencoder, which stays frozen. The auxiliary token loss is not in the \
      paper: it trains the Transformer faster and is not part of the finished model; --aux-weight 0 disables it. With \
      --aux-warmup-steps 2000 the first 2,000 steps train on it alone, at half the cost of a full step.

      Example:
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/flow --head flow
        calm train lm --data data --autoencoder official/ae --out runs/m --preset calm-m --aux-weight 0
        calm train lm --data more --init-from runs/lm/model --out runs/second
        calm train lm --resume runs/lm --steps 20000
      """)

  @OptionGroup var options: TrainOptions
}

import ArgumentParser
import CALMTraining

/// `calm train lm`.
struct TrainLanguageModel: TrainingCommand {
  typealias Settings = LanguageModelSettings

  static let configuration = CommandConfiguration(
    commandName: "lm",
    abstract: "Train a continuous autoregressive language model (CALM) on an autoencoder's latents.",
    discussion: """
      Chunk and latent size are those of the autoencoder, which is not trained further. The auxiliary token loss, \
      which is not in the paper, trains the Transformer faster and is not part of the finished model; --aux-weight 0 \
      leaves it out. --aux-warmup-steps 2000 begins with 2,000 steps of it alone, at half the cost of a whole step.

      Example:
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/lm
        calm train lm --data data --autoencoder runs/autoencoder/model --out runs/flow --head flow
        calm train lm --data data --autoencoder official/ae --out runs/m --preset calm-m --aux-weight 0
        calm train lm --data more --init-from runs/lm/model --out runs/second
        calm train lm --resume runs/lm --steps 20000
      """)

  @OptionGroup var options: TrainOptions
}

import ArgumentParser
import CALMTraining

/// `calm train autoencoder`.
struct TrainAutoencoder: TrainingCommand {
  typealias Settings = AutoencoderSettings

  static let configuration = CommandConfiguration(
    commandName: "autoencoder",
    abstract: "Train the autoencoder that encodes K tokens as one vector.",
    discussion: """
      Check its accuracy with noise on the latent ('calm eval autoencoder'): at 0.3 it should be above 99 % before you \
      train a language model on top of it. Settings reproduce the paper's ablations: --no-variational trains on \
      reconstruction only, and a value of 0 for --kl-weight, --kl-clamp, --token-masking or --latent-dropout disables \
      the Kullback-Leibler term, its clipping, or one kind of noise.

      Example:
        calm train autoencoder --data data --out runs/autoencoder --latent-size 64 --hidden-size 256
        calm train autoencoder --data more --init-from runs/autoencoder/model --out runs/second
        calm train autoencoder --resume runs/autoencoder
      """)

  @OptionGroup var options: TrainOptions
}

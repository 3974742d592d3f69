import CALM
import Testing
import Torch

/// The recorded numbers of the autoencoder: latents, reconstructions, the training loss and its gradients.
struct AutoencoderParity {
  let autoencoder: Autoencoder
  let numbers: RecordedNumbers

  func check() throws {
    let ids = try numbers.input("input_ids")
    try checkReconstruction(of: ids)
    try checkTraining(on: ids)
  }

  private func checkReconstruction(of ids: Tensor) throws {
    try withoutGradients {
      let noise = try perChunk("ae.eps")
      let latent = autoencoder.encode(ids)
      let z = sample(latent, noise: noise)
      try numbers.check("ae.mean", latent.mean)
      if let logDeviation = latent.logDeviation { try numbers.check("ae.log_std", logDeviation) }
      try numbers.check("ae.latent", z)
      try numbers.check("ae.logits", autoencoder.logits(z))
      try numbers.check("ae.argmax", autoencoder.decode(z))
      try numbers.check("ae.loss", autoencoder.loss(ids, noise: AutoencoderNoise(latentNoise: noise)).crossEntropy)
    }
  }

  private func checkTraining(on ids: Tensor) throws {
    let noise = AutoencoderNoise(
      keptTokens: try numbers.input("ae.train_token_keep"), latentNoise: try perChunk("ae.train_eps"),
      keptLatent: try perChunk("ae.train_latent_keep").to(.float32))
    autoencoder.setTrainable(true)
    defer { autoencoder.setTrainable(false) }
    let loss = autoencoder.loss(ids, noise: noise)
    try numbers.check("ae.train_ce", loss.crossEntropy)
    try numbers.check("ae.train_kl", loss.divergence)
    try numbers.check("ae.train_loss", loss.total)
    // The loss in the official training mode, which rounds embeddings to bfloat16; its tolerance covers the difference.
    try numbers.check("ae.train_loss_bf16emb", loss.total)
    try withoutGradients { try checkTrainingLogits(of: ids, noise: noise) }

    loss.total.backward()
    let parameters = autoencoder.namedParameters()
    for name in numbers.names(withPrefix: "ae.grad.") {
      let gradient = parameters.first { name == "ae.grad." + $0.name }?.tensor.gradient
      if let gradient { try numbers.check(name, gradient) }
    }
    try numbers.checkGradientNorms(of: autoencoder, numbers.source.description.autoencoderGradientNorms)
    autoencoder.clearGradients()
  }

  /// The logits of the first sequence, from which the training loss was computed.
  private func checkTrainingLogits(of ids: Tensor, noise: AutoencoderNoise) throws {
    let (keptTokens, epsilon) = (try #require(noise.keptTokens), try #require(noise.latentNoise))
    let keptLatent = try #require(noise.keptLatent)
    let z = sample(autoencoder.encode(ids * keptTokens), noise: epsilon) * keptLatent
    let logits = autoencoder.logits(z / (1 - autoencoder.configuration.latentDropout))
    let chunksInRow = ids.shape[1] / autoencoder.configuration.chunkSize
    try numbers.check("ae.train_logits_row0", logits.narrowed(0, 0..<chunksInRow))
  }

  /// mean + ε·σ.
  private func sample(_ latent: LatentDistribution, noise: Tensor) -> Tensor {
    latent.logDeviation.map { latent.mean + noise * $0.exp() } ?? latent.mean
  }

  /// A recorded sample [batch, chunks in a row, l] as [chunks, l].
  private func perChunk(_ name: String) throws -> Tensor {
    try numbers.input(name).reshaped(-1, autoencoder.configuration.latentSize)
  }
}

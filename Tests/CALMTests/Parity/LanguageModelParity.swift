import CALM
import Testing
import Torch

/// The recorded numbers of the language model: hidden states, target latents, the head's loss, and gradients.
struct LanguageModelParity {
  let model: ContinuousLanguageModel
  let numbers: RecordedNumbers

  func check() throws {
    let (k, ids) = (model.configuration.chunkSize, try numbers.input("input_ids"))
    let tokens = ids.shape[1]
    let head = try headParity(of: model, numbers)
    model.setTrainable(true)
    let hidden = try hiddenStates(of: ids.narrowed(1, 0..<tokens - k).contiguous())
    let latent = try withoutGradients { try targets(of: ids.narrowed(1, k..<tokens).contiguous()) }
    let loss = try head.loss(hidden: hidden, latent: latent)
    try numbers.check("lm.loss", loss)
    // That with the frozen autoencoder in official training mode, which rounds its embeddings to bfloat16; its
    // tolerance spans the difference.
    try numbers.check("lm.loss_trainmode", loss)
    loss.backward()
    try checkGradients()
    try head.checkSampling(hidden: hidden.detached(), latent: latent)
  }

  private func hiddenStates(of ids: Tensor) throws -> Tensor {
    let embeddings = model.backbone.embedding(ids)
    let width = model.configuration.chunkSize * model.configuration.hiddenSize
    let compression = try #require(model.compression)
    try numbers.check("lm.inputs_embeds", compression(embeddings.reshaped(ids.shape[0], -1, width)))
    let hidden = model.hiddenStates(ids)
    try numbers.check("lm.hidden", hidden)
    return hidden.reshaped(-1, model.configuration.hiddenSize)
  }

  private func targets(of next: Tensor) throws -> LatentDistribution {
    let latent = model.knownAutoencoder.encode(next)
    try numbers.check("lm.target_mean", latent.mean)
    if let logDeviation = latent.logDeviation { try numbers.check("lm.target_log_std", logDeviation) }
    return latent
  }

  private func checkGradients() throws {
    let parameters = model.namedParameters()
    for name in numbers.names(withPrefix: "lm.grad.") {
      let gradient = parameters.first { name == "lm.grad." + $0.name }?.tensor.gradient
      if let gradient { try numbers.check(name, gradient) }
    }
    let square = parameters.compactMap(\.tensor.gradient).reduce(0) { $0 + $1.squared().sum().item() }
    try numbers.check("lm.grad_norm", Tensor([square.squareRoot()]))
    try numbers.checkGradientNorms(of: model, numbers.source.description.modelGradientNorms)
    model.clearGradients()
  }
}

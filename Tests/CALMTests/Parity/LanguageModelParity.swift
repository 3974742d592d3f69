import CALM
import Torch

/// The recorded numbers of the language model: hidden states, the head's samples, the energy score, and gradients.
struct LanguageModelParity {
  let model: ContinuousLanguageModel
  let numbers: RecordedNumbers

  func check() throws {
    let (k, ids) = (model.configuration.chunkSize, try numbers.input("input_ids"))
    let tokens = ids.shape[1]
    let next = ids.narrowed(1, k..<tokens).contiguous()
    model.setTrainable(true)
    let hidden = try hiddenStates(of: ids.narrowed(1, 0..<tokens - k).contiguous())
    let targets = try withoutGradients { try self.targets(of: next) }
    let noise = try numbers.input("head.noise")
    let loss = model.loss(hidden: hidden, noise: noise, targets: targets, next: next)
    try numbers.check("lm.loss", loss.energy)
    // That with the frozen autoencoder in official training mode, which rounds its embeddings to bfloat16; its
    // tolerance spans the difference.
    try numbers.check("lm.loss_trainmode", loss.energy)
    loss.energy.backward()
    try checkGradients()

    let samples = withoutGradients { model.head(hidden, noise: noise) }
    try numbers.check("head.samples", samples)
    try checkEnergyScore(of: samples, targets: targets)
    try withoutGradients { try checkMaskedLoss(hidden: hidden, noise: noise) }
  }

  private func hiddenStates(of ids: Tensor) throws -> Tensor {
    let embeddings = model.backbone.embedding(ids)
    let width = model.configuration.chunkSize * model.configuration.hiddenSize
    try numbers.check("lm.inputs_embeds", model.compression(embeddings.reshaped(ids.shape[0], -1, width)))
    let hidden = model.hiddenStates(ids)
    try numbers.check("lm.hidden", hidden)
    return hidden.reshaped(-1, model.configuration.hiddenSize)
  }

  private func targets(of next: Tensor) throws -> Tensor {
    let latent = model.autoencoder.encode(next)
    try numbers.check("lm.target_mean", latent.mean)
    let point = latent.mean.reshaped([1] + latent.mean.shape)
    guard let logDeviation = latent.logDeviation else { return point }
    try numbers.check("lm.target_log_std", logDeviation)
    return try point + numbers.input("energy.eps") * logDeviation.exp()
  }

  private func checkGradients() throws {
    let parameters = model.namedParameters()
    for name in numbers.names where name.hasPrefix("lm.grad.") {
      let gradient = parameters.first { name == "lm.grad." + $0.name }?.tensor.gradient
      if let gradient { try numbers.check(name, gradient) }
    }
    let square = parameters.compactMap(\.tensor.gradient).reduce(0) { $0 + $1.squared().sum().item() }
    try numbers.check("lm.grad_norm", Tensor([square.squareRoot()]))
    numbers.checkGradientNorms(of: model, numbers.source.description.modelGradientNorms)
    model.clearGradients()
  }

  private func checkEnergyScore(of samples: Tensor, targets: Tensor) throws {
    let own = model.configuration.exponent
    // With every sample equal to x_n the loss is twice the mean distance of x_n to the targets.
    let count = samples.shape[0]
    let toTargets = (0..<count).map { index in
      let sample = samples.narrowed(0, index..<index + 1)
      return energyDistance(samples: .concatenated([sample, sample]), targets: targets, exponent: own) * 0.5
    }
    let distance = Tensor.stacked(toTargets).mean(0)
    try numbers.check("energy.distance_y", distance)
    try numbers.check(
      "energy.distance_x", distance * 2 - energyDistance(samples: samples, targets: targets, exponent: own))

    for name in numbers.names where name.hasPrefix("energy.loss_beta") {
      guard let exponent = Double(name.dropFirst("energy.loss_beta".count)) else { continue }
      try numbers.check(name, energyDistance(samples: samples, targets: targets, exponent: exponent).mean())
    }
    for name in numbers.names where name.hasPrefix("energy.sample_grad") {
      let exponent = Double(name.dropFirst("energy.sample_grad_beta".count)) ?? own
      let leaf = samples.clone()
      leaf.requiresGradient = true
      energyDistance(samples: leaf, targets: targets, exponent: exponent).mean().backward()
      if let gradient = leaf.gradient { try numbers.check(name, gradient) }
    }
  }

  /// The loss with labels of −100 for whole chunks: these positions are left out, and the draws of the first N′ taken.
  private func checkMaskedLoss(hidden: Tensor, noise: Tensor) throws {
    guard numbers.has("mask.labels") else { return }
    let k = model.configuration.chunkSize
    let labels = try numbers.input("mask.labels")
    let next = labels.narrowed(1, k..<labels.shape[1]).contiguous().reshaped(-1, k)
    let kept = ContinuousLanguageModel.labelledChunks(next)
    let (ids, count) = (next.gathered(0, kept), kept.count)
    let latent = model.autoencoder.encode(ids)
    let draws = try numbers.input("energy.eps").narrowed(1, 0..<count)
    let point = latent.mean.reshaped([1] + latent.mean.shape)
    let targets = latent.logDeviation.map { point + draws * $0.exp() } ?? point
    let loss = model.loss(
      hidden: hidden.gathered(0, kept), noise: noise.narrowed(1, 0..<count).contiguous(), targets: targets, next: ids)
    try numbers.check("mask.loss", loss.energy)
  }
}

import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// A model of some sizes at work.
struct BenchModelJob {
  private let shape: BenchShape
  private let work: BenchWorkOptions
  private let compute: ComputeSetting
  private let generator: Generator

  init(_ shape: BenchShape, work: BenchWorkOptions, compute: ComputeSetting) {
    (self.shape, self.work, self.compute) = (shape, work, compute)
    generator = Generator(seed: 1, device: compute.device)
  }

  func measure(_ job: BenchJob) throws -> BenchMeasurement {
    switch job {
    case .trainAutoencoder:
      let model = Autoencoder(shape.autoencoder, generator: generator)
      return training(AutoencoderTask(model, validation: nil, tokenizer: Data()), job)
    case .trainLanguageModel:
      return training(LanguageModelTask(languageModel(), validation: nil, tokenizer: Data()), job)
    case .evaluate: return evaluation()
    case .generate, .generateHalf, .generateHalfAlike, .generateHalfLate: return try generation(job)
    case .tokenizer, .data: preconditionFailure("no job of a model")
    }
  }

  private func languageModel() -> ContinuousLanguageModel {
    ContinuousLanguageModel(
      shape.languageModel, autoencoder: Autoencoder(shape.autoencoder, generator: generator), generator: generator)
  }

  private func randomIds(_ blocks: Int, _ tokens: Int) -> Tensor {
    generator.uniform([blocks, tokens], in: 3..<Double(shape.vocabulary)).to(.int64)
  }

  private func training(_ task: any TrainingTask, _ job: BenchJob) -> BenchMeasurement {
    task.prepare(precision: compute.precision)
    task.module.convert(to: compute.precision)
    let optimizer = AdamW(task.module.namedParameters())
    let ids = randomIds(shape.blocks, shape.tokens)
    var step = 0
    var result = BenchMeasurement(
      steps: work.steps, warmUp: 2, tokens: shape.blocks * shape.tokens, label: job.rawValue
    ) {
      step += 1
      let loss = task.loss(ids, step: step, generator: generator).total
      loss.backward()
      optimizer.update(learningRate: 1e-4, gradientScale: min(1, 1 / optimizer.gradientNorm()))
      waitForDevice(loss)
    }
    let cost =
      job == .trainAutoencoder ? shape.autoencoder.cost : shape.languageModel.cost(autoencoder: shape.autoencoder)
    result.operations = cost.trainingPerToken * Double(result.tokens)
    return result
  }

  private func evaluation() -> BenchMeasurement {
    let model = languageModel()
    convert(model)
    let ids = (0..<shape.blocks).map { _ in randomIds(1, shape.tokens).elements(as: Int32.self) }
    let samples = 2
    var result = BenchMeasurement(
      steps: work.steps, warmUp: 1, tokens: shape.blocks * shape.tokens, label: BenchJob.evaluate.rawValue
    ) {
      withoutGradients {
        for block in ids { _ = model.scores(of: block, samples: samples, generator: generator) }
      }
    }
    let cost = shape.languageModel.cost(autoencoder: shape.autoencoder)
    let encoder = 2 * Double(shape.autoencoder.encoderMACs) / Double(shape.chunk)
    result.operations = (cost.inferencePerToken(samples: samples) + encoder) * Double(result.tokens)
    return result
  }

  private func generation(_ job: BenchJob) throws -> BenchMeasurement {
    let model = languageModel()
    spreadDraws(of: model, job)
    convert(model)
    let prompt = randomIds(1, work.promptLength).elements(as: Int32.self)
    var options = GenerationOptions()
    options.temperature = job == .generate ? 1 : 0.5
    options.poolSize = work.poolSize
    options.maximumTokens = work.newLength
    var promptTimes: [Double] = []
    var result = try BenchMeasurement(steps: work.steps, warmUp: 1, tokens: work.newLength, label: job.rawValue) {
      let start = ContinuousClock.now
      let generator = try ChunkGenerator(model, prompt: prompt, options: options)
      waitForDevice(generator.hidden)
      promptTimes.append(start.duration(to: .now).seconds)
      while try generator.step() != nil {}
    }
    result.promptSeconds = BenchMeasurement.median(Array(promptTimes.dropFirst()))
    let draws = job == .generate ? 1 : work.poolSize
    let cost = shape.languageModel.cost(autoencoder: shape.autoencoder)
    let (chunks, context) = (work.newLength / shape.chunk, work.promptLength / shape.chunk)
    result.operations = cost.inferencePerToken(samples: draws) * Double(work.newLength)
    let read = cost.parameters + cost.frozenParameters - unreadParameters
    let kept = 2 * shape.layers * shape.hidden * (context + chunks / 2)
    result.bytes = Double((read + kept) * compute.precision.size * chunks)
    return result
  }

  /// What generation does not read: a table of embeddings but for some rows of it, and the encoder.
  private var unreadParameters: Int { shape.vocabulary * shape.hidden + shape.autoencoder.encoderParameters }

  /// The head's last layer starts at zero, so that all draws would be one latent at the origin.
  private func spreadDraws(of model: ContinuousLanguageModel, _ job: BenchJob) {
    let alike = job == .generateHalfAlike
    let name = "mlp_generator.final_layer.linears.2." + (alike ? "bias" : "weight")
    withoutGradients {
      for parameter in model.namedParameters() where parameter.name == name {
        let deviation = alike ? 1 : 1 / Double(shape.hidden).squareRoot()
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: deviation))
      }
      guard job == .generateHalfLate else { return }
      // What all tokens of a chunk but the last are decoded from is the same for every latent.
      for parameter in model.autoencoder.namedParameters() where parameter.name == "decoder.expand_layer.weight" {
        let width = parameter.tensor.shape[0] / shape.chunk
        parameter.tensor.narrowed(0, 0..<width * (shape.chunk - 1)).fill(0)
      }
    }
  }

  private func convert(_ model: ContinuousLanguageModel) {
    model.convert(to: compute.precision)
    model.autoencoder.convert(to: compute.precision)
    model.setTrainable(false)
  }

  /// Work on a GPU goes on after the call that asks for it.
  private func waitForDevice(_ tensor: Tensor) {
    if tensor.device != .cpu { _ = tensor.sum().item() }
  }
}

extension ModelCost {
  /// FLOPs for a token where several samples of each chunk are drawn and decoded.
  fileprivate func inferencePerToken(samples: Int) -> Double {
    parts.reduce(0) { sum, part in
      let isDrawn = part.name.hasSuffix("head") || part.name.hasSuffix("decoder")
      return sum + part.inference * Double(isDrawn ? samples : 1)
    }
  }
}

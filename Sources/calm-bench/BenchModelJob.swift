import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// The jobs that run a model with random weights.
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
    case .evaluate: return try evaluation()
    case .generate, .generateHalf, .generateHalfEqual, .generateHalfLate: return try generation(job)
    case .tokenizer, .data: preconditionFailure("not a job of a model")
    }
  }

  private func languageModel() -> ContinuousLanguageModel {
    ContinuousLanguageModel(
      shape.languageModel, autoencoder: Autoencoder(shape.autoencoder, generator: generator), generator: generator)
  }

  private func randomIds(_ sequences: Int, _ tokens: Int) -> Tensor {
    generator.uniform([sequences, tokens], in: 3..<Double(shape.vocabulary)).to(.int64)
  }

  private func training(_ task: any TrainingTask, _ job: BenchJob) -> BenchMeasurement {
    task.prepare(precision: compute.precision)
    task.module.convert(to: compute.precision)
    let optimizer = AdamW(task.module.namedParameters())
    let ids = randomIds(shape.sequences, shape.tokens)
    var step = 0
    var result = BenchMeasurement(
      steps: work.steps, warmUp: 2, tokens: shape.sequences * shape.tokens, label: job.rawValue
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

  private func evaluation() throws -> BenchMeasurement {
    let model = languageModel()
    convert(model)
    let ids = (0..<shape.sequences).map { _ in randomIds(1, shape.tokens).elements(as: Int32.self) }
    let samples = 2
    var result = try BenchMeasurement(
      steps: work.steps, warmUp: 1, tokens: shape.sequences * shape.tokens, label: BenchJob.evaluate.rawValue
    ) {
      try withoutGradients {
        for sequence in ids { _ = try model.scores(of: sequence, samples: samples, generator: generator) }
      }
    }
    let cost = shape.languageModel.cost(autoencoder: shape.autoencoder)
    let encoder = 2 * Double(shape.autoencoder.encoderMACs) / Double(shape.chunk)
    result.operations = (cost.inferencePerToken(samples: samples) + encoder) * Double(result.tokens)
    return result
  }

  private func generation(_ job: BenchJob) throws -> BenchMeasurement {
    let model = languageModel()
    spreadSamples(of: model, job)
    convert(model)
    let prompt = randomIds(1, work.promptLength).elements(as: Int32.self)
    var options = GenerationOptions()
    options.temperature = job == .generate ? 1 : 0.5
    options.candidates = work.candidateCount
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
    let samples = job == .generate ? 1 : work.candidateCount
    let cost = shape.languageModel.cost(autoencoder: shape.autoencoder)
    let (chunks, context) = (work.newLength / shape.chunk, work.promptLength / shape.chunk)
    result.operations = cost.inferencePerToken(samples: samples) * Double(work.newLength)
    let read = cost.parameters + cost.frozenParameters - unreadParameters
    let kept = 2 * shape.layers * shape.hidden * (context + chunks / 2)
    result.bytes = Double((read + kept) * compute.precision.size * chunks)
    return result
  }

  /// The parameters that generation does not read: the embeddings, except for a few rows, and the encoder.
  private var unreadParameters: Int { shape.vocabulary * shape.hidden + shape.autoencoder.encoderParameters }

  /// Randomizes the last layer of the head. It is initialized to zero, so every sample would be the origin.
  private func spreadSamples(of model: ContinuousLanguageModel, _ job: BenchJob) {
    let isEqual = job == .generateHalfEqual
    let name = "mlp_generator.final_layer.linears.2." + (isEqual ? "bias" : "weight")
    withoutGradients {
      for parameter in model.namedParameters() where parameter.name == name {
        let deviation = isEqual ? 1 : 1 / Double(shape.hidden).squareRoot()
        parameter.tensor.copy(from: generator.normal(parameter.tensor.shape, deviation: deviation))
      }
      guard job == .generateHalfLate else { return }
      // All tokens of a chunk except the last are decoded from values that do not depend on the latent.
      for parameter in model.autoencoder?.namedParameters() ?? [] where parameter.name == "decoder.expand_layer.weight"
      {
        let width = parameter.tensor.shape[0] / shape.chunk
        parameter.tensor.narrowed(0, 0..<width * (shape.chunk - 1)).fill(0)
      }
    }
  }

  private func convert(_ model: ContinuousLanguageModel) {
    model.convert(to: compute.precision)
    model.autoencoder?.convert(to: compute.precision)
    model.setTrainable(false)
  }

  /// Waits for a GPU, which computes asynchronously.
  private func waitForDevice(_ tensor: Tensor) {
    if tensor.device != .cpu { _ = tensor.sum().item() }
  }
}

extension ModelCost {
  /// FLOPs per token if `samples` samples of each chunk are computed and decoded.
  fileprivate func inferencePerToken(samples: Int) -> Double {
    parts.reduce(0) { sum, part in
      let isSampled = part.name.hasSuffix("head") || part.name.hasSuffix("decoder")
      return sum + part.inference * Double(isSampled ? samples : 1)
    }
  }
}

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
      let task = AutoencoderTask(model, validation: nil, tokenizer: Data())
      return training(task, cost: shape.autoencoder.cost, job)
    case .trainTransformer:
      let model = AutoregressiveModel(shape.transformer, generator: generator)
      return training(
        AutoregressiveTask(model, validation: nil, tokenizer: Data()), cost: shape.transformer.cost, job)
    case .trainLanguageModel, .trainFlow, .trainPosterior, .trainTokens:
      let task = LanguageModelTask(languageModel(job), validation: nil, tokenizer: Data())
      return training(task, cost: cost(job), job)
    case .evaluate: return try evaluation()
    case .generateTransformer: return try transformerGeneration()
    case .generate, .generateHalf, .generateHalfEqual, .generateHalfLate, .generatePosterior, .generateOneStep,
      .generateTokens:
      return try generation(job)
    case .tokenizer, .data: preconditionFailure("not a job of a model")
    }
  }

  private func languageModel(_ job: BenchJob) -> ContinuousLanguageModel {
    let autoencoder = job.head.usesAutoencoder ? Autoencoder(shape.autoencoder, generator: generator) : nil
    return ContinuousLanguageModel(shape.languageModel(job), autoencoder: autoencoder, generator: generator)
  }

  private func cost(_ job: BenchJob) -> ModelCost {
    shape.languageModel(job).cost(autoencoder: job.head.usesAutoencoder ? shape.autoencoder : nil)
  }

  private func randomIds(_ sequences: Int, _ tokens: Int) -> Tensor {
    generator.uniform([sequences, tokens], in: 3..<Double(shape.vocabulary)).to(.int64)
  }

  private func training(_ task: any TrainingTask, cost: ModelCost, _ job: BenchJob) -> BenchMeasurement {
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
    result.operations = cost.trainingPerToken * Double(result.tokens)
    return result
  }

  private func evaluation() throws -> BenchMeasurement {
    let model = languageModel(.evaluate)
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
    let encoder = 2 * Double(shape.autoencoder.encoderMACs) / Double(shape.chunk)
    result.operations = (cost(.evaluate).inferencePerToken(samples: samples) + encoder) * Double(result.tokens)
    return result
  }

  private func generation(_ job: BenchJob) throws -> BenchMeasurement {
    let model = languageModel(job)
    spreadSamples(of: model, job)
    convert(model)
    var options = generationOptions
    options.temperature = job.usesCandidates ? 0.5 : 1
    options.candidates = work.candidateCount
    let prompt = prompt
    var result = try timed(job) {
      let generator = try ChunkGenerator(model, prompt: prompt, options: options)
      waitForDevice(generator.hidden)
      return generator
    }
    let cost = cost(job)
    result.operations =
      cost.inferencePerToken(samples: job.usesCandidates ? work.candidateCount : 1) * Double(work.newLength)
    var read = cost.parameters + cost.frozenParameters - shape.vocabulary * shape.hidden
    if job.head.usesAutoencoder {
      read -= shape.autoencoder.encoderParameters
    } else {
      read += shape.vocabulary * shape.hidden  // the embeddings are the weights of the head's softmax
    }
    result.bytes = bytes(of: read, steps: work.newLength / shape.chunk, context: work.promptLength / shape.chunk)
    return result
  }

  private func transformerGeneration() throws -> BenchMeasurement {
    let model = AutoregressiveModel(shape.transformer, generator: generator)
    model.convert(to: compute.precision)
    model.setTrainable(false)
    let (prompt, options) = (prompt, generationOptions)
    var result = try timed(.generateTransformer) { try TokenGenerator(model, prompt: prompt, options: options) }
    let cost = shape.transformer.cost
    result.operations = cost.parts.reduce(0) { $0 + $1.inference } * Double(work.newLength)
    result.bytes = bytes(
      of: cost.parameters - shape.vocabulary * shape.hidden, steps: work.newLength, context: work.promptLength)
    return result
  }

  private var prompt: [Int32] { randomIds(1, work.promptLength).elements(as: Int32.self) }

  private var generationOptions: GenerationOptions {
    var options = GenerationOptions()
    options.temperature = 1
    options.maximumTokens = work.newLength
    return options
  }

  /// Times generations to their end, and the reading of the prompt.
  private func timed(_ job: BenchJob, start: () throws -> any SequenceGenerator) throws -> BenchMeasurement {
    var promptTimes: [Double] = []
    var result = try BenchMeasurement(steps: work.steps, warmUp: 1, tokens: work.newLength, label: job.rawValue) {
      let begin = ContinuousClock.now
      let generator = try start()
      promptTimes.append(begin.duration(to: .now).seconds)
      while try generator.step() != nil {}
    }
    result.promptSeconds = Array(promptTimes.dropFirst()).median
    return result
  }

  /// The bytes of the weights, and of the keys and values of half of the steps, read in every step of a generation.
  private func bytes(of parameters: Int, steps: Int, context: Int) -> Double {
    let kept = 2 * shape.layers * shape.hidden * (context + steps / 2)
    return Double((parameters + kept) * compute.precision.size * steps)
  }

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

import CALM
import Torch

/// The recorded Brier-1 to Brier-4 of the official evaluation.
struct BrierParity {
  let model: ContinuousLanguageModel
  let numbers: RecordedNumbers

  private var chunkSize: Int { model.configuration.chunkSize }

  func check() throws {
    try withoutGradients {
      let ids = try numbers.input("input_ids")
      let (batch, tokens) = (ids.shape[0], ids.shape[1])
      let positions = tokens / chunkSize - 1
      let hidden = model.hiddenStates(ids.narrowed(1, 0..<tokens - chunkSize).contiguous())
      let latents = try headParity(of: model, numbers).samples(
        hidden: hidden.reshaped(-1, model.configuration.hiddenSize))
      let predictions = try (0..<2).map { sample in
        let decoded = model.knownAutoencoder.decode(latents.selected(0, sample))
        try numbers.check("brier.pred\(sample + 1)", decoded)
        return decoded.reshaped(batch, positions, chunkSize)
      }
      let truths = ids.narrowed(1, chunkSize..<tokens).contiguous().reshaped(batch, positions, chunkSize)
      let result =
        chunkSize >= BrierScore.maximumOrder
        ? try chunkwise(predictions, truths: truths) : try rolledOut(predictions, ids: ids, truths: truths)
      for order in 1...BrierScore.maximumOrder {
        try numbers.check("brier\(order)", Tensor([result.brier[order - 1]]))
      }
    }
  }

  /// One chunk covers the four tokens.
  private func chunkwise(_ predictions: [Tensor], truths: Tensor) throws -> BrierLM {
    let (batch, positions) = (truths.shape[0], truths.shape[1])
    var accumulator = try BrierAccumulator()
    accumulator.add(
      contentsOf: Tensor.stacked(predictions, along: 2).to(.int32).elements(), truths: truths.to(.int32).elements(),
      documents: (0..<batch).flatMap { Array(repeating: $0, count: positions) }, length: chunkSize)
    return try accumulator.result()
  }

  /// Several chunks are needed: accuracy from the predictions given the truth, agreement from two samples that roll on
  /// from their common prefix. As the official code does, the last window is left out.
  private func rolledOut(_ predictions: [Tensor], ids: Tensor, truths: Tensor) throws -> BrierLM {
    let steps = (BrierScore.maximumOrder + chunkSize - 1) / chunkSize
    let noise = try numbers.input("brier.noise_table")
    let (batch, positions) = (ids.shape[0], truths.shape[1])
    var accumulator = try BrierAccumulator()
    for start in 0..<positions - steps {
      let pairs = try rolledOn(predictions, from: start, steps: steps, ids: ids, noise: noise)
      for row in 0..<batch {
        func window(_ tensor: Tensor) -> [Int64] {
          tensor.selected(0, row).narrowed(0, start..<start + steps).contiguous().elements()
        }
        let accuracy = BrierScore(samples: predictions.map(window), truth: window(truths)).accuracy
        let collision = BrierScore(samples: pairs.map { $0[row] }, truth: window(truths)).collision
        accumulator.add(BrierScore(accuracy: accuracy, collision: collision), document: row)
      }
    }
    return try accumulator.result()
  }

  /// Two samples from position `start` on, each [row][tokens]. Both are sampled given the first sample so far.
  private func rolledOn(
    _ predictions: [Tensor], from start: Int, steps: Int, ids: Tensor, noise: Tensor
  ) throws -> [[[Int64]]] {
    let batch = ids.shape[0]
    let context = Backbone.Context(layers: model.configuration.layers)
    _ = model.hiddenStates(ids.narrowed(1, 0..<(start + 1) * chunkSize).contiguous(), context: context)
    var chunks = predictions.map { [$0.selected(1, start)] }
    for step in 1..<steps {
      let hidden = model.hiddenStates(chunks[0][step - 1].contiguous(), context: context)
      let draws = noise.selected(0, start).selected(0, step - 1).reshaped(2, batch, -1)
      let latents = model.latentHead(hidden.reshaped(batch, -1), noise: draws)
      for sample in 0..<2 { chunks[sample].append(model.knownAutoencoder.decode(latents.selected(0, sample))) }
    }
    return chunks.map { sample in
      let tokens = Tensor.concatenated(sample, along: 1)
      return (0..<batch).map { tokens.selected(0, $0).contiguous().elements() }
    }
  }
}

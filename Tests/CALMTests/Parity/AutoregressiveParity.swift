import CALM
import CALMCorpus
import CALMSupport
import Torch

/// The recorded numbers of an autoregressive Llama: logits, loss, gradients, and the exact parts of its Brier scores.
struct AutoregressiveParity {
  let model: AutoregressiveModel
  let numbers: RecordedNumbers

  func check() throws {
    let ids = try numbers.input("input_ids")
    numbers.markChecked("input_ids")
    model.setTrainable(true)
    let loss = model.loss(ids)
    try numbers.check("ar.loss", loss)
    loss.backward()
    let parameters = model.namedParameters()
    for name in numbers.names(withPrefix: "grad.") {
      let gradient = parameters.first { name == "grad." + $0.name }?.tensor.gradient
      if let gradient { try numbers.check(name, gradient) }
    }
    model.clearGradients()
    try withoutGradients {
      try numbers.check("ar.logits", model.logits(model.hiddenStates(ids)))
      try checkScores(of: ids)
    }
  }

  private func checkScores(of ids: Tensor) throws {
    let (rows, tokens) = (ids.shape[0], ids.shape[1])
    var generator = SeededGenerator(seed: 1)
    var (probabilities, agreement): ([Double], [Double]) = ([], [])
    for row in 0..<rows {
      let text = ids.selected(0, row).contiguous().elements(as: Int32.self)
      let scores = model.brierScores(of: text, samples: 2, using: &generator)
      probabilities += scores.flatMap { score in (0..<4).map { score.accuracy[$0] } }
      agreement += scores.map { $0.collision[0] }
    }
    try numbers.check("ar.ngram_probability", Tensor(probabilities))
    // The last positions have no four tokens after them and are not scored.
    let recorded = try numbers.input("ar.collision1").narrowed(1, 0..<tokens - 4).contiguous()
    numbers.expect("ar.collision1", Tensor(agreement), toBe: recorded)
  }
}

import CALM
import TestSupport
import Testing
import Torch

/// The recorded runs of the official `generate` at temperature 1.
///
/// The official padding rules differ from this package's, so they are implemented here: the prompt is padded at its end
/// to whole chunks, a sequence with the end token continues with padding, and finally all padding is moved to the end.
struct GenerationParity {
  let model: ContinuousLanguageModel
  let numbers: RecordedNumbers

  func check() throws {
    guard numbers.has("gen.prompt") else { return }
    let end = try #require(model.configuration.special.end)
    let run = try generate(end: end)
    try numbers.check("gen.chunks", Tensor.stacked(run.chunks, along: 1))
    try numbers.check("gen.output", run.output)
    try numbers.check("gen.eos_output", generate(end: numbers.number("gen.eos_id")).output)
  }

  private func generate(end: Int) throws -> (chunks: [Tensor], output: Tensor) {
    let padding = try #require(model.configuration.special.padding)
    let maximumLength = try numbers.number("gen.max_length")
    let (noise, head) = (try numbers.input("gen.noise"), try headParity(of: model, numbers))
    var rows = try padded(numbers.input("gen.prompt"), padding)
    var (finished, chunks) = ([Bool](repeating: false, count: rows.count), [Tensor]())
    let context = Backbone.Context(layers: model.configuration.layers)
    var current = rows
    repeat {
      let recorded = noise.narrowed(0, chunks.count..<chunks.count + 1)
      let drawn = nextChunk(after: current, noise: head.noise(recorded: recorded, rows: rows.count), context)
      chunks.append(drawn)
      let tokens = drawn.elements(as: Int64.self)
      current = rows.indices.map { row in
        finished[row]
          ? [Int64](repeating: Int64(padding), count: drawn.shape[1])
          : Array(tokens[row * drawn.shape[1]..<(row + 1) * drawn.shape[1]])
      }
      for row in rows.indices {
        rows[row] += current[row]
        finished[row] = finished[row] || current[row].contains(Int64(end))
      }
    } while rows[0].count < maximumLength && finished.contains(false)
    let output = rows.flatMap { row in
      let said = row.filter { $0 != Int64(padding) }
      return said + Array(repeating: Int64(padding), count: row.count - said.count)
    }
    return (chunks, Tensor(output))
  }

  private func padded(_ prompt: Tensor, _ padding: Int) -> [[Int64]] {
    let k = model.configuration.chunkSize
    let missing = (k - prompt.shape[1] % k) % k
    return (0..<prompt.shape[0]).map { row in
      prompt.selected(0, row).contiguous().elements() + Array(repeating: Int64(padding), count: missing)
    }
  }

  /// The chunk after the last of `rows`, [batch, K]; noise: [1, batch, …].
  private func nextChunk(after rows: [[Int64]], noise: Tensor, _ context: Backbone.Context) -> Tensor {
    withoutGradients {
      let ids = Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count]).onTestDevice
      let hidden = model.hiddenStates(ids, context: context)
      let last = hidden.selected(1, hidden.shape[1] - 1).contiguous()
      return model.knownAutoencoder.decode(model.latentHead(last, noise: noise).selected(0, 0))
    }
  }
}

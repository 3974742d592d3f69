import CALM
import Foundation
import Testing
import Torch

/// Attention within documents, for both kinds of model.
@Suite("Document masking")
struct DocumentStartsTests {
  /// Two documents of three chunks in one sequence; the id 2 ends a document.
  private let first: [Int64] = [2, 0, 5, 6, 7, 8, 9, 2]
  private let second: [Int64] = [10, 11, 12, 13, 14, 15]

  private func model(
    separate: Bool, chunk: Int = 2, special: SpecialTokens = SpecialTokens(padding: 0, end: 2)
  ) -> ContinuousLanguageModel {
    let generator = Generator(seed: 5)
    let autoencoder = Autoencoder(
      AutoencoderConfiguration(vocabularySize: 20, chunkSize: chunk, latentSize: 4, hiddenSize: 8, special: special),
      generator: generator)
    var configuration = LanguageModelConfiguration(
      vocabularySize: 20, chunkSize: chunk, latentSize: 4, hiddenSize: 16, layers: 2, attentionHeads: 2, headBlocks: 1,
      special: special)
    configuration.documentMasking = separate
    return ContinuousLanguageModel(configuration, autoencoder: autoencoder, generator: generator)
  }

  private func hidden(_ ids: [Int64], separate: Bool) -> [Float] {
    withoutGradients {
      model(separate: separate).hiddenStates(Tensor(ids, shape: [1, ids.count])).elements(as: Float.self)
    }
  }

  private func difference(_ a: ArraySlice<Float>, _ b: ArraySlice<Float>) -> Float {
    zip(a, b).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test("a masked document has the same hidden states as alone after the end of the previous document")
  func alone() {
    let packed = hidden(first + second, separate: true)
    let behindEnd = hidden(Array(first.suffix(2)) + second, separate: true)
    #expect(difference(packed.suffix(4 * 16), behindEnd[...]) < 1e-5)
    // The model without masking sees both documents.
    #expect(difference(hidden(first + second, separate: false).suffix(4 * 16), behindEnd[...]) > 1e-3)
  }

  @Test("a masked document does not affect the next or the previous one")
  func noLeak() {
    var changed = first
    (changed[2], changed[5]) = (16, 17)
    let packed = hidden(first + second, separate: true)
    let other = hidden(changed + second, separate: true)
    #expect(difference(packed.suffix(4 * 16), other.suffix(4 * 16)) == 0)
    #expect(difference(packed[16..<32], other[16..<32]) > 1e-3)
  }

  @Test("every one of several end tokens ends a document")
  func severalEnds() {
    var special = SpecialTokens(padding: 0, end: 1)
    special.furtherEnds = [2]
    let hidden = withoutGradients {
      model(separate: true, special: special).hiddenStates(Tensor(first + second, shape: [1, 14]))
        .elements(as: Float.self)
    }
    #expect(difference(hidden[...], self.hidden(first + second, separate: true)[...]) == 0)
  }

  @Test("a single document has the same hidden states with and without document masking")
  func oneDocument() {
    #expect(difference(hidden(second, separate: true)[...], hidden(second, separate: false)[...]) < 1e-6)
  }

  @Test("document masking holds in sequences too long for the kernel of short ones")
  func longBlocks() {
    let filler = [Int64](repeating: 3, count: 600)
    let packed = hidden(filler + first + second, separate: true)
    let short = hidden(first + second, separate: true)
    #expect(difference(packed.suffix(3 * 16), short.suffix(3 * 16)) < 1e-4)
  }

  @Test("continuations from all positions of a sequence see only their own document")
  func branches() {
    withoutGradients {
      let model = model(separate: true)
      func tensor(_ ids: [Int64]) -> Tensor { Tensor(ids, shape: [1, ids.count]) }
      let context = Backbone.Context(layers: 2)
      _ = model.hiddenStates(tensor(first + second), context: context)
      let next: [Int64] = [18, 19]
      let rolled = model.hiddenStates(
        tensor(Array(repeating: next, count: 7).flatMap { $0 }), context: context.branches(7, device: .cpu)
      ).elements(as: Float.self)
      for position in 1..<7 {
        let text = Array((first + second).prefix(2 * position + 2)) + next
        let whole = model.hiddenStates(tensor(text)).elements(as: Float.self)
        #expect(difference(rolled[position * 16..<(position + 1) * 16], whole.suffix(16)) < 1e-5)
      }
    }
  }

  @Test("config.json contains document masking only if it is on")
  func configuration() throws {
    var shape = TransformerShape(hiddenSize: 16, layers: 1, attentionHeads: 2)
    #expect(!String(decoding: try JSONEncoder().encode(shape), as: UTF8.self).contains("document_masking"))
    shape.documentMasking = true
    #expect(try JSONDecoder().decode(TransformerShape.self, from: JSONEncoder().encode(shape)).documentMasking)
  }
}

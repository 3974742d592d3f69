import CALM
import Testing
import Torch

@Suite("Language model: hidden states")
struct BackboneTests {
  /// The length in chunks.
  private static let length = 9

  private let model = SmallModels.languageModel()
  private let k = SmallModels.languageModel().configuration.chunkSize
  private let ids = SmallModels.ids(rows: 2, tokens: 27, seed: 31)

  @Test("a hidden state does not depend on later chunks", arguments: [1, 4, 8])
  func causal(changed: Int) {
    withoutGradients {
      let other = ids.clone()
      let chunk = other.narrowed(1, changed * k..<(changed + 1) * k)
      chunk.copy(from: SmallModels.ids(rows: 2, tokens: k, seed: 32))
      let (before, after) = (model.hiddenStates(ids), model.hiddenStates(other))
      #expect(largestDifference(before.narrowed(1, 0..<changed), after.narrowed(1, 0..<changed)) < 1e-5)
      for later in changed..<Self.length {
        #expect(largestDifference(before.selected(1, later), after.selected(1, later)) > 1e-3, "chunk \(later)")
      }
    }
  }

  @Test("the sequences of a batch are independent")
  func rowsAreIndependent() {
    withoutGradients {
      let together = model.hiddenStates(ids)
      let apart = (0..<2).map { model.hiddenStates(ids.narrowed(0, $0..<$0 + 1).contiguous()) }
      #expect(largestDifference(together, .concatenated(apart)) < 1e-5)
    }
  }

  @Test("hidden states computed chunk by chunk equal those of the whole sequence", arguments: [1, 3, 9])
  func context(start: Int) {
    withoutGradients {
      let whole = model.hiddenStates(ids)
      let context = Backbone.Context(layers: model.configuration.layers)
      var parts = [model.hiddenStates(ids.narrowed(1, 0..<start * k).contiguous(), context: context)]
      for chunk in start..<Self.length {
        parts.append(model.hiddenStates(ids.narrowed(1, chunk * k..<(chunk + 1) * k).contiguous(), context: context))
      }
      #expect(largestDifference(whole, .concatenated(parts, along: 1)) < 1e-5)
    }
  }

  @Test(
    "hidden states computed chunk by chunk equal those of the whole for any number of sequences and shared key heads",
    arguments: [1, 8, 9], [1, 4])
  func sequences(count: Int, keyValueHeads: Int) {
    let model = SmallModels.languageModel(keyValueHeads: keyValueHeads, seed: 43)
    let ids = SmallModels.ids(rows: count, tokens: 5 * k, seed: 34)
    withoutGradients {
      let whole = model.hiddenStates(ids)
      let context = Backbone.Context(layers: model.configuration.layers)
      let parts = (0..<5).map {
        model.hiddenStates(ids.narrowed(1, $0 * k..<($0 + 1) * k).contiguous(), context: context)
      }
      #expect(largestDifference(whole, .concatenated(parts, along: 1)) < 1e-5)
    }
  }

  @Test("a cache that outgrows its initial capacity keeps all positions")
  func contextGrows() {
    let chunks = 150
    let ids = SmallModels.ids(rows: 1, tokens: chunks * k, seed: 33)
    withoutGradients {
      let context = Backbone.Context(layers: model.configuration.layers)
      let parts = (0..<chunks).map {
        model.hiddenStates(ids.narrowed(1, $0 * k..<($0 + 1) * k).contiguous(), context: context)
      }
      #expect(largestDifference(model.hiddenStates(ids), .concatenated(parts, along: 1)) < 1e-5)
    }
  }

  @Test("hidden states depend on the order of earlier chunks")
  func positionsMatter() {
    withoutGradients {
      let chunks = ids.reshaped(2, Self.length, k)
      let order = Tensor([1, 0, 2, 3, 4, 5, 6, 7, 8] as [Int64])
      let swapped = chunks.gathered(1, order).reshaped(2, -1)
      let last = Self.length - 1
      #expect(
        largestDifference(model.hiddenStates(ids).selected(1, last), model.hiddenStates(swapped).selected(1, last))
          > 1e-3)
    }
  }

  @Test("shared key and value heads equal repeated ones", arguments: [1, 2])
  func groupedHeads(keyValueHeads: Int) throws {
    let grouped = SmallModels.languageModel(keyValueHeads: keyValueHeads, seed: 41)
    let full = SmallModels.languageModel(keyValueHeads: 4, seed: 42)
    let headSize = grouped.configuration.headSize
    withoutGradients {
      let sources = Dictionary(uniqueKeysWithValues: grouped.namedParameters().map { ($0.name, $0.tensor) })
      for parameter in full.namedParameters() {
        guard let source = sources[parameter.name] else { continue }
        let isShared = parameter.name.contains("k_proj") || parameter.name.contains("v_proj")
        // [heads, size, h], with each head repeated as often as query heads share it.
        let heads = source.reshaped(isShared ? [keyValueHeads, headSize, -1] : source.shape)
        let order = (0..<4).map { Int64($0 * keyValueHeads / 4) }
        let value = isShared ? heads.gathered(0, Tensor(order)).reshaped(parameter.tensor.shape) : heads
        parameter.tensor.copy(from: value)
      }
      #expect(largestDifference(grouped.hiddenStates(ids), full.hiddenStates(ids)) < 1e-5)
    }
  }

  @Test("hidden states in bfloat16 are close to those in float32")
  func bfloat16() {
    withoutGradients {
      let wide = model.hiddenStates(ids)
      model.convert(to: .bfloat16)
      // bfloat16 has 8 significant bits: each of about thirty roundings costs up to 0.4 %.
      let size = wide.magnitude().mean().item()
      #expect((model.hiddenStates(ids).to(.float32) - wide).magnitude().mean().item() < 0.05 * size)
    }
  }
}

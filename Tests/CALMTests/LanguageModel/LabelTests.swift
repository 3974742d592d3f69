import CALM
import Testing
import Torch

@Suite("Labels")
struct LabelTests {
  private let ids = SmallModels.ids(rows: 2, tokens: 15, seed: 3)

  /// The labels with −100 at some positions.
  private func labels(ignoring places: [Int]) -> Tensor {
    var values = ids.elements(as: Int64.self)
    for place in places { values[place] = -100 }
    return Tensor(values, shape: ids.shape)
  }

  private func loss(_ labels: Tensor, of model: ContinuousLanguageModel) -> Double {
    withoutGradients { model.loss(ids, labels: labels, generator: Generator(seed: 5)).total.item() }
  }

  @Test(
    "labels equal to the ids do not change the loss, and labels of first chunks are ignored",
    arguments: HeadKind.allCases)
  func complete(head: HeadKind) {
    let model = SmallModels.languageModel(head: head)
    let plain = withoutGradients { model.loss(ids, generator: Generator(seed: 5)).total.item() }
    #expect(loss(ids, of: model) == plain)
    #expect(loss(labels(ignoring: [0, 1, 2, 15, 16, 17]), of: model) == plain)
  }

  @Test("a chunk with a label of −100 does not count in the loss", arguments: HeadKind.allCases)
  func partial(head: HeadKind) {
    let model = SmallModels.languageModel(head: head)
    let whole = loss(labels(ignoring: [6, 7, 8]), of: model)
    #expect(whole != loss(ids, of: model))
    #expect(loss(labels(ignoring: [7]), of: model) == whole)
    #expect(loss(labels(ignoring: [8, 6]), of: model) == whole)
  }

  @Test("chunks without labels get no gradient as targets")
  func gradients() {
    // All but the last chunk of the second row are excluded: the tokens of the first row get no gradient at all.
    let kept = Tensor([Int64](repeating: -100, count: 27) + ids.elements(as: Int64.self).suffix(3), shape: ids.shape)
    let model = SmallModels.languageModel()
    model.setTrainable(true)
    model.loss(ids, labels: kept, generator: Generator(seed: 5)).total.backward()
    let gradient = model.namedParameters().first { $0.name == "transformer.embed_tokens.weight" }?.tensor.gradient
    let norms = gradient?.squared().sum(1).elements(as: Double.self) ?? []
    let seen = Set(ids.elements(as: Int64.self)[15..<27].map(Int.init))
    for (id, norm) in norms.enumerated() { #expect((norm > 0) == seen.contains(id), "\(id)") }
  }
}

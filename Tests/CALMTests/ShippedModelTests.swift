import CALM
import Foundation
import Testing
import Torch

@Suite("The model in models/") struct ShippedModelTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("models/childrens-books")

  private static let prose = """
    The old man looked at the boy and laughed. “I am going home,” he said, “and you must come with me.” They went down \
    the road together, and the wind blew in the trees. When they came to the house, the door was open, and there was a \
    light in the window. “Mother is waiting for us,” said the boy, and he ran up the steps.
    """

  @Test("It finds English prose likely, and the same words in reverse order far less.")
  func english() throws {
    let folder = try ModelFolder(Self.folder)
    let (model, tokenizer) = (try folder.loadLanguageModel(), try folder.tokenizer())
    let k = model.configuration.chunkSize
    func nats(_ text: String) -> Double {
      let ids = tokenizer.encode(text).map(Int64.init)
      let chunks = Tensor(Array(ids.prefix(ids.count / k * k)), shape: [ids.count / k, k])
      let hidden = withoutGradients { model.hiddenStates(chunks.reshaped(1, -1)).selected(0, 0) }  // [chunks, h]
      let positions = chunks.shape[0] - 1
      let loss = withoutGradients {
        model.negativeLogLikelihood(
          hidden.narrowed(0, 0..<positions), next: chunks.narrowed(0, 1..<positions + 1), samples: 1,
          generator: Generator(seed: 1))
      }
      return loss.mean().item() / Double(k)
    }
    let reversed = Self.prose.split(separator: " ").reversed().joined(separator: " ")
    #expect(nats(Self.prose) < 3.3, "uniform guesses would be 7.6 nats")
    #expect(nats(reversed) > nats(Self.prose) + 2)
  }
}

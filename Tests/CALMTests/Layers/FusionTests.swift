import CALM
import Testing
import Torch

@Suite("Fusion of model layers")
struct FusionTests {
  @Test("a block of the energy head can run as one kernel")
  func energyHead() throws {
    let head = try #require(SmallModels.languageModel().head as? EnergyHead)
    let condition = Generator(seed: 1).normal([3, 32])
    #expect(
      RowPlan { head.blocks[0]($0, condition: condition) }.kernelDescription == [
        "keep", "layer norm", "linear", "SiLU of sum", "linear", "SiLU of sum", "linear", "SwiGLU of halves",
        "linear with bias + kept",
      ])
  }

  @Test("two layers of an autoencoder can run as one kernel")
  func autoencoder() {
    let configuration = AutoencoderConfiguration(vocabularySize: 8, hiddenSize: 32)
    let layers = (0..<2).map { AutoencoderLayer(configuration, generator: Generator(seed: $0)) }
    let layer = ["keep", "RMS norm", "SwiGLU of layers", "linear + kept"]
    #expect(RowPlan { layers[1](layers[0]($0)) }.kernelDescription == layer + layer)
  }
}

import CALMTraining
import Testing
import TrainingTestSupport

@Suite("Gradient clipping") struct GradientClipTests {
  @Test("A gradient clip of 0 disables clipping, and a small one changes the losses")
  func clips() throws {
    let world = try TinyWorld()
    func lossesOfRun(_ name: String, clip: Double) throws -> [Double] {
      var settings = world.settings(steps: 4)
      settings.gradientClip = clip
      return try losses(of: try world.transformer(name, settings))
    }
    let unclipped = try lossesOfRun("none", clip: 0)
    #expect(unclipped.count == 4)
    #expect(try lossesOfRun("large", clip: 1e30) == unclipped)
    #expect(try lossesOfRun("small", clip: 1e-9) != unclipped)
  }
}

import CALMTraining
import Testing

@Suite("Learning rate schedules") struct ScheduleTests {
  @Test(
    "The learning rate rises linearly to its peak in the warm-up of every schedule",
    arguments: LearningRateSchedule.Shape.allCases)
  func warmsUp(shape: LearningRateSchedule.Shape) {
    let schedule = LearningRateSchedule(peak: 1, shape: shape, warmupSteps: 4)
    #expect((0..<4).map { schedule.rate(step: $0, of: 1000) } == [0.25, 0.5, 0.75, 1])
  }

  @Test("The learning rate never rises after the warm-up and ends at its floor")
  func falls() {
    for shape in [LearningRateSchedule.Shape.cosine, .stableDecay] {
      let schedule = LearningRateSchedule(peak: 2, shape: shape, warmupSteps: 10, floor: 0.1)
      let rates = (10...500).map { schedule.rate(step: $0, of: 500) }
      #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 >= $1 - 1e-12 })
      #expect(abs(rates[rates.count - 1] - 0.2) < 1e-9)
    }
    let constant = LearningRateSchedule(peak: 2, warmupSteps: 10)
    #expect(constant.rate(step: 10, of: 500) == 2 && constant.rate(step: 499, of: 500) == 2)
  }

  @Test("Stable decay keeps the peak until its decay fraction of the steps is left")
  func stable() {
    let schedule = LearningRateSchedule(peak: 1, shape: .stableDecay, warmupSteps: 0, decayFraction: 0.25, floor: 0)
    #expect(schedule.rate(step: 749, of: 1000) == 1)
    #expect(abs(schedule.rate(step: 875, of: 1000) - 0.5) < 1e-12)
  }
}

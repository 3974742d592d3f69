import Torch

extension TrainingSettings {
  init(steps: Int, batchSize: Int, bestMetric: String) {
    self.init(
      steps: steps, batchSize: batchSize, sequenceChunks: 64,
      schedule: LearningRateSchedule(peak: 2e-3, shape: .stableDecay))
    bestBy = bestMetric
  }
  var stepsOfTokens: Int? { maximumTokens.map { ($0 - 1) / (batchSize * sequenceLength) + 1 } }
  var totalSteps: Int { min(steps, stepsOfTokens ?? .max) }
  var computePrecision: Precision {
    get { Precision(rawValue: precision.rawValue) ?? .auto }
    set { if newValue != .auto { precision = newValue == .bfloat16 ? .bfloat16 : .float32 } }
  }
}

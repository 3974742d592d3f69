import CALMTraining

/// The metrics of a run's trainings from several seeds.
struct MeanCurves {
  private let seeds: [MetricsHistory]

  init(_ seeds: [MetricsHistory]) { self.seeds = seeds }

  /// The means of a metric, at the steps where all seeds have it.
  func points(of key: String) -> [(x: Double, y: Double)] {
    let curves = seeds.map { Dictionary($0.points(of: key).map { ($0.x, $0.y) }) { _, last in last } }
    return (seeds.first?.points(of: key) ?? []).compactMap { x, _ in
      let values = curves.compactMap { $0[x] }
      return values.count == curves.count ? (x, values.reduce(0, +) / Double(values.count)) : nil
    }
  }
}

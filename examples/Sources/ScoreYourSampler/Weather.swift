/// The weather of successive days: a Markov chain that can only be sampled.
struct Weather {
  enum Day: String, CaseIterable {
    case sunny, cloudy, rainy
  }

  /// The probabilities of sunny, cloudy and rainy after each kind of day.
  var probabilities: [Day: [Double]] = [
    .sunny: [0.8, 0.15, 0.05],
    .cloudy: [0.3, 0.4, 0.3],
    .rainy: [0.1, 0.3, 0.6],
  ]

  /// The same frequencies on every day, regardless of the day before.
  static let withoutMemory = Weather(
    probabilities: Dictionary(uniqueKeysWithValues: Day.allCases.map { ($0, [0.48, 0.26, 0.26]) }))

  /// Samples the days after `day`.
  func days(_ count: Int, after day: Day, using generator: inout some RandomNumberGenerator) -> [Day] {
    var (days, last) = ([Day](), day)
    for _ in 0..<count {
      var rest = Double.random(in: 0..<1, using: &generator)
      let next = Day.allCases.indices.first { index in
        rest -= probabilities[last]![index]
        return rest < 0
      }
      last = Day.allCases[next ?? Day.allCases.count - 1]
      days.append(last)
    }
    return days
  }
}

import CTorch

/// An exponential moving average of parameters, in float32: average ← d·average + (1 − d)·parameter with decay d.
///
/// In early steps t the decay is (1 + t)/(10 + t) if that is smaller, which reduces the weight of the initial values.
public final class MovingAverage {
  /// The decay d, 0 < d < 1.
  public let decay: Double
  /// The averages by name.
  public let values: [String: Tensor]

  /// - Parameters:
  ///   - weights: the initial float32 values by name.
  ///   - decay: the decay, 0 < decay < 1.
  public init(of weights: [String: Tensor], decay: Double) {
    precondition(decay > 0 && decay < 1, "MovingAverage: the decay \(decay) is not between 0 and 1")
    self.decay = decay
    values = withoutGradients { weights.mapValues { $0.detached().clone() } }
  }

  /// Updates the averages with the values after a step.
  ///
  /// - Parameters:
  ///   - weights: the values by name.
  ///   - step: the number of steps taken, including the last.
  public func update(from weights: [String: Tensor], step: Int) {
    let weight = 1 - min(decay, Double(1 + step) / Double(10 + step))
    let pairs = values.compactMap { name, value in weights[name].map { (target: value, source: $0) } }
    withExtendedLifetime(pairs) {
      check(
        ct_move_towards(
          pairs.map { Optional($0.target.handle) }, pairs.map { Optional($0.source.handle) }, Int32(pairs.count),
          weight))
    }
  }

  /// Runs `body` with the averages in the parameters, rounded to their types, and restores the parameters afterwards.
  public func used<Result>(by parameters: [NamedParameter], _ body: () throws -> Result) rethrows -> Result {
    let own = withoutGradients {
      parameters.compactMap { parameter in
        values[parameter.name].map { average in
          let (target, before) = (parameter.tensor.detached(), parameter.tensor.detached().clone())
          target.copy(from: average)
          return (target, before)
        }
      }
    }
    defer { withoutGradients { for (target, before) in own { target.copy(from: before) } } }
    return try body()
  }
}

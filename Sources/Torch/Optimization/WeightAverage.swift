import CTorch

/// An exponential moving average of parameters, in float32: with decay d each step takes d of what was and 1 − d of the
/// new value.
///
/// In the first steps d grows from 1/10 as (1 + t)/(10 + t), so that the initial weights are forgotten in time.
public final class MovingAverage {
  /// d, above 0 and below 1.
  public let decay: Double
  /// The averages by name.
  public let values: [String: Tensor]

  /// - Parameter weights: the float32 values to begin with, by name.
  public init(of weights: [String: Tensor], decay: Double) {
    precondition(decay > 0 && decay < 1, "MovingAverage: decay \(decay)")
    self.decay = decay
    values = withoutGradients { weights.mapValues { $0.detached().clone() } }
  }

  /// Takes in the values after a step.
  ///
  /// - Parameters:
  ///   - weights: under the names of the averages.
  ///   - step: steps taken, the last included.
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

  /// Runs `body` while the parameters hold the averages, rounded to their types; then they are again as they were.
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

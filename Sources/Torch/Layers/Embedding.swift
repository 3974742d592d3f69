/// A lookup table of vectors: ids […] → […, size].
public final class Embedding: Module {
  /// [vocabulary, size].
  @Parameter("weight") public var weight: Tensor
  /// An id whose vector starts at zero and receives no gradient.
  public let padding: Int?

  /// Initializes the vectors from a normal distribution with the given standard deviation.
  public init(
    vocabulary: Int, size: Int, padding: Int? = nil, deviation: Double = 0.02, generator: Generator
  ) {
    self.padding = padding
    weight = generator.normal([vocabulary, size], deviation: deviation)
    if let padding { weight.selected(0, padding).fill(0) }
    setTrainable(true)
  }

  /// Returns the vectors of `ids`, int64.
  public func callAsFunction(_ ids: Tensor) -> Tensor {
    embedding(ids, weight: weight, padding: padding)
  }
}

/// ``AdamW`` with its state partitioned over the processes of a group (ZeRO stage 1, Rajbhandari et al., 2020).
///
/// The concatenated parameters are divided into equal partitions. A process stores the moments and the float32 masters
/// only of its own partition, updates it, and receives the other partitions of the parameters. Every process has all
/// parameters and needs all gradients, identical in every process. A step computes the same bits as ``AdamW``.
public final class ShardedAdamW: Optimizer {
  /// A parameter, its range among all elements, and the range of its own elements that this process updates.
  private struct Piece {
    let name: String
    let parameter: Tensor
    let place: Range<Int>
    let own: Range<Int>

    /// This process's elements of a tensor in the parameter's shape; a view if the tensor is contiguous.
    func slice(_ tensor: Tensor) -> Tensor { tensor.reshaped(-1).narrowed(0, own) }
  }

  private let group: ProcessGroup
  private let pieces: [Piece]
  /// The number of elements in a partition.
  private let partitionSize: Int
  /// Views of the parameters' elements that this process updates, by name.
  private let slices: [String: Tensor]
  private let optimizer: AdamW

  /// - Parameters:
  ///   - parameters: the parameters to train, all of one type.
  ///   - masters: the float32 values of bfloat16 parameters by name. A missing one starts from the rounded value.
  ///   - settings: the hyperparameters.
  ///   - group: the processes, all with the same parameters.
  public init(
    _ parameters: [NamedParameter], masters: [String: Tensor] = [:], settings: AdamW.Settings = AdamW.Settings(),
    over group: ProcessGroup
  ) {
    let trained = parameters.filter { $0.tensor.requiresGradient }
    precondition(Set(trained.map(\.tensor.dtype)).count <= 1, "ShardedAdamW: the parameters have several types")
    let partitionSize = (trained.reduce(0) { $0 + $1.tensor.count } + group.count - 1) / group.count
    var end = 0
    let pieces = trained.map { parameter in
      let (tensor, start) = (parameter.tensor, end)
      precondition(tensor.isContiguous, "ShardedAdamW: \(parameter.name) is not contiguous")
      end += tensor.count
      let own = (group.rank * partitionSize..<(group.rank + 1) * partitionSize).clamped(to: start..<end)
      return Piece(
        name: parameter.name, parameter: tensor, place: start..<end,
        own: own.lowerBound - start..<own.upperBound - start)
    }
    (self.group, self.pieces, self.partitionSize) = (group, pieces, partitionSize)
    let owned = pieces.filter { !$0.own.isEmpty }
    let slices = withoutGradients {
      Dictionary(uniqueKeysWithValues: owned.map { ($0.name, $0.slice($0.parameter.detached())) })
    }
    self.slices = slices
    optimizer = withoutGradients {
      AdamW(
        parts: owned.map { piece in
          let master = masters[piece.name].map { piece.slice($0.contiguous()) }
          return (piece.name, slices[piece.name]!, master, piece.parameter.rank >= 2)
        }, settings: settings)
    }
  }

  /// The number of steps taken, the same in every process.
  public var step: Int { optimizer.step }

  /// The Euclidean norm of all gradients, not only of this process's partition.
  public func gradientNorm() -> Double {
    globalNorm(pieces.compactMap { $0.parameter.gradient })
  }

  /// Clears the gradients without a step.
  public func clearGradients() {
    for piece in pieces { piece.parameter.gradient = nil }
  }

  /// Updates this process's partition of the parameters, receives the others, and clears the gradients.
  ///
  /// - Throws: ``ProcessGroupError`` if another process exits or times out.
  public func update(learningRate: Double, gradientScale: Double = 1) throws {
    for piece in pieces {
      slices[piece.name]?.gradient = piece.parameter.gradient.map { piece.slice($0.contiguous()) }
    }
    optimizer.update(learningRate: learningRate, gradientScale: gradientScale)
    clearGradients()
    let updated = try gathered(slices)
    withoutGradients {
      for piece in pieces { piece.parameter.copy(from: updated[piece.name]!) }
    }
  }

  /// The float32 values of all parameters by name, gathered from the processes if the parameters are bfloat16.
  ///
  /// - Throws: ``ProcessGroupError`` if another process exits or times out.
  public var masters: [String: Tensor] {
    get throws {
      guard let dtype = pieces.first?.parameter.dtype else { return [:] }
      if dtype == .float32 {
        return Dictionary(uniqueKeysWithValues: pieces.map { ($0.name, $0.parameter.detached()) })
      }
      return try gathered(optimizer.masters)
    }
  }

  /// The moments by name, gathered from the processes, in the shapes of the parameters.
  ///
  /// - Throws: ``ProcessGroupError`` if another process exits or times out.
  public var moments: [String: Tensor] {
    get throws {
      var whole: [String: Tensor] = [:]
      let own = optimizer.moments
      for suffix in AdamW.momentSuffixes {
        let parts = own.filter { $0.key.hasSuffix(suffix) }.map { (String($0.key.dropLast(suffix.count)), $0.value) }
        for (name, tensor) in try gathered(Dictionary(uniqueKeysWithValues: parts)) { whole[name + suffix] = tensor }
      }
      return whole
    }
  }

  /// Restores the moments, of which this process keeps its partition, and the step count.
  ///
  /// - Throws: ``OptimizerError`` if a tensor is missing or has the wrong shape.
  public func restore(moments: [String: Tensor], step: Int) throws {
    var own: [String: Tensor] = [:]
    for piece in pieces {
      for name in AdamW.momentSuffixes.map({ piece.name + $0 }) {
        guard let tensor = moments[name] else { throw OptimizerError.missing(name) }
        guard tensor.shape == piece.parameter.shape else {
          throw OptimizerError.shape(name, found: tensor.shape, expected: piece.parameter.shape)
        }
        own[name] = piece.slice(tensor.contiguous())
      }
    }
    try optimizer.restore(moments: own, step: step)
  }

  /// Gathers complete tensors, in the shapes of their parameters, from the slices of all processes.
  private func gathered(_ own: [String: Tensor]) throws(ProcessGroupError) -> [String: Tensor] {
    guard let first = pieces.first?.parameter else { return [:] }
    let parts = pieces.compactMap { own[$0.name] }
    let filled = parts.reduce(0) { $0 + $1.count }
    let padding = Tensor.zeros([partitionSize - filled], dtype: parts.first?.dtype ?? first.dtype, device: first.device)
    let all = try group.gather(withoutGradients { .concatenated(parts + [padding]) }).reshaped(-1)
    return Dictionary(
      uniqueKeysWithValues: pieces.map {
        ($0.name, all.narrowed(0, $0.place).reshaped($0.parameter.shape))
      })
  }
}

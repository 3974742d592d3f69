/// ``AdamW`` whose state is spread over the processes of a group (the first stage of ZeRO, Rajbhandari et al., 2020).
///
/// The parameters, laid end to end, are cut into equal shares. A process keeps running means and float32 values of its
/// own share only, moves that, and receives the others' shares of the parameters. Every process holds whole parameters
/// and needs whole gradients, the same in all; the step is that of ``AdamW``, bit for bit.
public final class ShardedAdamW: Optimizer {
  /// A parameter, where it lies among all, and what of it is this process's.
  private struct Piece {
    let name: String
    let parameter: Tensor
    let place: Range<Int>
    let own: Range<Int>

    /// This process's elements of a tensor in the parameter's shape: a view where it lies without gaps.
    func slice(_ tensor: Tensor) -> Tensor { tensor.reshaped(-1).narrowed(0, own) }
  }

  private let group: ProcessGroup
  private let pieces: [Piece]
  /// Elements of a share.
  private let share: Int
  /// Views of the parameters, by name: those of which something is this process's.
  private let slices: [String: Tensor]
  private let optimizer: AdamW

  /// - Parameters:
  ///   - parameters: those to train, in the type in which the model computes: one type.
  ///   - masters: float32 values that bfloat16 parameters were rounded from, by name; the rounded values where missing.
  ///   - group: the processes, all with the same parameters.
  public init(
    _ parameters: [NamedParameter], masters: [String: Tensor] = [:], settings: AdamW.Settings = AdamW.Settings(),
    over group: ProcessGroup
  ) {
    let trained = parameters.filter { $0.tensor.requiresGradient }
    precondition(Set(trained.map(\.tensor.dtype)).count <= 1, "ShardedAdamW: parameters of several types")
    let share = (trained.reduce(0) { $0 + $1.tensor.count } + group.count - 1) / group.count
    var end = 0
    let pieces = trained.map { parameter in
      let (tensor, start) = (parameter.tensor, end)
      precondition(tensor.isContiguous, "ShardedAdamW: \(parameter.name) does not lie without gaps")
      end += tensor.count
      let own = (group.rank * share..<(group.rank + 1) * share).clamped(to: start..<end)
      return Piece(
        name: parameter.name, parameter: tensor, place: start..<end,
        own: own.lowerBound - start..<own.upperBound - start)
    }
    (self.group, self.pieces, self.share) = (group, pieces, share)
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

  /// The number of steps taken, the same in all processes.
  public var step: Int { optimizer.step }

  /// The Euclidean norm of all gradients together, not of this process's share alone.
  public func gradientNorm() -> Double {
    globalNorm(pieces.compactMap { $0.parameter.gradient })
  }

  /// Forgets the gradients without a step.
  public func clearGradients() {
    for piece in pieces { piece.parameter.gradient = nil }
  }

  /// Takes a step with this process's share of the parameters, and receives the others'; forgets the gradients.
  ///
  /// - Throws: ``ProcessGroupError`` where another process is gone.
  public func update(learningRate: Double, gradientScale: Double = 1) throws {
    for piece in pieces {
      slices[piece.name]?.gradient = piece.parameter.gradient.map { piece.slice($0.contiguous()) }
    }
    optimizer.update(learningRate: learningRate, gradientScale: gradientScale)
    clearGradients()
    let moved = try gathered(slices)
    withoutGradients {
      for piece in pieces { piece.parameter.copy(from: moved[piece.name]!) }
    }
  }

  /// The float32 values of all parameters by name, gathered from the processes where the parameters are rounded.
  ///
  /// - Throws: ``ProcessGroupError`` where another process is gone.
  public var masters: [String: Tensor] {
    get throws {
      guard let dtype = pieces.first?.parameter.dtype else { return [:] }
      if dtype == .float32 {
        return Dictionary(uniqueKeysWithValues: pieces.map { ($0.name, $0.parameter.detached()) })
      }
      return try gathered(optimizer.masters)
    }
  }

  /// The running means by name, whole and in the shapes of the parameters: gathered from the processes.
  ///
  /// - Throws: ``ProcessGroupError`` where another process is gone.
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

  /// Goes on from whole running means, of which this process keeps its share, and a step count.
  ///
  /// - Throws: ``OptimizerError`` where a tensor is missing or has another shape than its parameter.
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

  /// The whole tensors, in the shapes of their parameters, of which each process has its slices.
  private func gathered(_ own: [String: Tensor]) throws(ProcessGroupError) -> [String: Tensor] {
    guard let first = pieces.first?.parameter else { return [:] }
    let parts = pieces.compactMap { own[$0.name] }
    let filled = parts.reduce(0) { $0 + $1.count }
    let filling = Tensor.zeros([share - filled], dtype: parts.first?.dtype ?? first.dtype, device: first.device)
    let all = try group.gather(withoutGradients { .concatenated(parts + [filling]) }).reshaped(-1)
    return Dictionary(
      uniqueKeysWithValues: pieces.map {
        ($0.name, all.narrowed(0, $0.place).reshaped($0.parameter.shape))
      })
  }
}

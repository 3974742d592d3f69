import Torch

/// Continuations that branch off one sequence, one after each of its positions, for one attention layer.
///
/// Branch i sees positions 0 … i of the sequence and its own later positions. All branches advance in one pass, so
/// continuing from every position of a sequence costs one forward pass per step.
final class BranchCache: AttentionCache {
  private let keys: Tensor  // [key heads, branches, size], of the sequence
  private let values: Tensor
  private let mask: Tensor  // [branches, branches]: 0 where a branch sees a position, else −∞
  private var ownKeys: [Tensor] = []  // [key heads, 1, branches, size], one per step
  private var ownValues: [Tensor] = []

  /// - Parameters:
  ///   - cache: the keys and values of the sequence, in a batch of one.
  ///   - mask: see ``mask(branches:from:device:)``.
  init(from cache: KeyValueCache, mask: Tensor) {
    let branches = mask.shape[0]
    guard let keys = cache.keys, let values = cache.values, keys.shape[0] == 1, cache.length >= branches else {
      preconditionFailure("branches need one sequence with cached positions")
    }
    self.mask = mask
    self.keys = keys.selected(0, 0).narrowed(1, 0..<branches)
    self.values = values.selected(0, 0).narrowed(1, 0..<branches)
  }

  /// The positions of the sequence that branch i sees.
  ///
  /// - Parameter first: the first position that each position of the sequence sees, [1, length]; nil if all see the
  ///   beginning.
  static func mask(branches: Int, from first: Tensor?, device: Device) -> Tensor {
    let places = Tensor.range(0..<branches, dtype: .float32, device: device)
    let unseen = Tensor.full([1], -.infinity, device: device)
    func masked(_ mask: Tensor, where condition: Tensor) -> Tensor { mask.replaced(with: unseen, where: condition) }
    let causal = masked(
      .zeros([branches, branches], device: device),
      where: (places.reshaped(1, -1) - places.reshaped(-1, 1)).isGreater(than: 0))
    guard let first else { return causal }
    let starts = first.narrowed(1, 0..<branches).to(.float32).reshaped(-1, 1)
    return masked(causal, where: (starts - places.reshaped(1, -1)).isGreater(than: 0))
  }

  /// The index of the next position of branch 0. Each other branch is one position further than the branch before it.
  var length: Int { 1 + ownKeys.count }

  func attend(_ query: Tensor, keys newKeys: Tensor, values newValues: Tensor, from first: Tensor?) -> Tensor {
    precondition(first == nil, "the branch point determines the positions that a branch sees")
    let (keyHeads, branches, size) = (keys.shape[0], keys.shape[1], keys.shape[2])
    func own(_ tensor: Tensor) -> Tensor { tensor.reshaped(keyHeads, 1, branches, size) }
    ownKeys.append(own(newKeys))
    ownValues.append(own(newValues))

    let scaled = query.reshaped(keyHeads, -1, branches, size) / Double(size).squareRoot()
    let inSequence = matmul(scaled.reshaped(keyHeads, -1, size), keys.transposed()).to(.float32)
      .reshaped(keyHeads, -1, branches, branches)
    let inBranch = ownKeys.map { (scaled * $0).to(.float32).sum(-1, keepDimensions: true) }
    let weights = softmax(.concatenated([inSequence + mask] + inBranch, along: -1)).to(query.dtype)

    let ofSequence = weights.narrowed(3, 0..<branches).reshaped(keyHeads, -1, branches)
    var mixed = matmul(ofSequence, values).reshaped(keyHeads, -1, branches, size)
    for (step, values) in ownValues.enumerated() {
      mixed = mixed + weights.narrowed(3, branches + step..<branches + step + 1) * values
    }
    return mixed.reshaped(query.shape)
  }
}

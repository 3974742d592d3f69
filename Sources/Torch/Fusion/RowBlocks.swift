import CTorch

/// Blocks of rows in which the numbers of a row do not depend on the other rows.
///
/// Products of up to ``maximum`` rows compute four rows at a time, each in the same order of its terms, and the rows
/// that remain perhaps in another order. With a number of rows that is a multiple of four, the bits of a row are
/// therefore the same in every place and next to any other rows. libtorch's products of more rows do not have this
/// property. `SkinnyGEMMTests` verifies it at each CPU level; for devices other than the CPU nothing is claimed.
package enum RowBlocks {
  /// The maximum number of rows in a block.
  package static let maximum = Int(ct_max_skinny_rows())

  /// The blocks of `count` rows.
  package static func ranges(_ count: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: maximum).map { $0..<min($0 + maximum, count) }
  }

  /// The number of rows to add to a block of `count`, such that they are a multiple of four.
  package static func padding(_ count: Int) -> Int { (4 - count % 4) % 4 }

  /// A block with padding: copies of its first row.
  ///
  /// - Parameter dimension: that of the rows.
  package static func padded(_ block: Tensor, along dimension: Int = 0) -> Tensor {
    let padding = padding(block.shape[dimension])
    if padding == 0 { return block }
    let first = block.narrowed(dimension, 0..<1)
    return .concatenated([block] + Array(repeating: first, count: padding), along: dimension)
  }

  /// Runs `body`, in which products of up to 512 rows without gradients on the CPU have the property of blocks: for a
  /// number of rows that is a multiple of four, the bits of a row do not depend on the others.
  package static func keepingRowsApart<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    ct_keep_rows_apart(1)
    defer { ct_keep_rows_apart(0) }
    return try body()
  }
}

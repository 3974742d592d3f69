import CTorch

/// Runs `body` such that the numbers of a row depend neither on the other rows nor on how many there are, bit for bit.
///
/// libtorch's products do not have this property: they compute different numbers of rows in different orders. Inside
/// `body`, products with a matrix and row-wise networks with packed weights use kernels that have it; sums, norms and
/// activations of rows have it anyway. It applies to tensors without gradients on the CPU. `SkinnyGEMMTests` and
/// `RowwiseTests` verify it at each CPU level.
package func keepingRowsApart<Result, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  ct_keep_rows_apart(1)
  defer { ct_keep_rows_apart(0) }
  return try body()
}

/// Whether this runs inside ``keepingRowsApart(_:)``.
package var isKeepingRowsApart: Bool { ct_keeps_rows_apart() != 0 }

/// A tensor to write to a file: its names, its layout and the source of its elements.
public struct TensorToWrite {
  /// The names in the file, at least one. Formats that support it store the elements once.
  public let names: [String]
  /// The type and shape.
  public let layout: TensorLayout
  private let load: () throws -> Tensor

  /// Creates a tensor to write from one in memory.
  public init(_ tensor: Tensor, names: [String]) {
    (self.names, layout, load) = (names, TensorLayout(of: tensor), { tensor })
  }

  /// Creates a tensor to write from one in another file, which is read when it is written; nil if `source` has no
  /// tensor with that name.
  public init?(_ name: String, of source: any TensorSource, names: [String]) {
    guard let layout = source.layout(of: name) else { return nil }
    (self.names, self.layout, load) = (names, layout, { try source.tensor(named: name) })
  }

  /// Calls `body` with the bytes of the elements in row-major order.
  func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try load().detached().withUnsafeBytes(body)
  }
}

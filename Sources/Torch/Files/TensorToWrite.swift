/// A tensor on its way into a file: what it is, its names there, and where its elements come from.
public struct TensorToWrite {
  /// The names it gets, at least one. Formats that can store it once do.
  public let names: [String]
  /// Its type and shape.
  public let layout: TensorLayout
  private let load: () throws -> Tensor

  /// A tensor in memory.
  public init(_ tensor: Tensor, names: [String]) {
    (self.names, layout, load) = (names, TensorLayout(of: tensor), { tensor })
  }

  /// A tensor of another file, read when its turn comes; nil where `source` has none of that name.
  public init?(_ name: String, of source: any TensorSource, names: [String]) {
    guard let layout = source.layout(of: name) else { return nil }
    (self.names, self.layout, load) = (names, layout, { try source.tensor(named: name) })
  }

  /// Calls `body` with the bytes of the elements, row-major.
  func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try load().detached().withUnsafeBytes(body)
  }
}

/// Standard output for many small pieces, written in blocks of 64 kB.
package struct BufferedOutput {
  private static let limit = 1 << 16
  private var bytes: [UInt8] = []

  package init() { bytes.reserveCapacity(Self.limit + 64) }

  /// Appends a byte.
  package mutating func append(_ byte: UInt8) throws {
    bytes.append(byte)
    if bytes.count >= Self.limit { try flush() }
  }

  /// Appends bytes.
  package mutating func append(_ more: some Sequence<UInt8>) throws {
    bytes.append(contentsOf: more)
    if bytes.count >= Self.limit { try flush() }
  }

  /// Appends text.
  package mutating func append(_ text: String) throws { try append(text.utf8) }

  /// Appends a nonnegative number in decimal digits.
  package mutating func append(number: Int32) throws {
    let first = bytes.count
    var rest = number
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[first...].reverse()
    if bytes.count >= Self.limit { try flush() }
  }

  /// Writes the buffered bytes. Call it at the end, so that a failure of the last write is reported.
  package mutating func flush() throws {
    try bytes.withUnsafeBytes { try StandardOutput.write($0) }
    bytes.removeAll(keepingCapacity: true)
  }
}

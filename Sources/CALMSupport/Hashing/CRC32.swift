/// 32-bit cyclic redundancy checks (reflected), computed eight bytes at a time.
package enum CRC32 {
  /// The CRC-32 of zlib, PNG and Ethernet (polynomial 0x04C11DB7).
  ///
  /// - Parameter previous: The checksum of the preceding bytes, for data in several parts.
  package static func checksum(of bytes: UnsafeRawBufferPointer, after previous: UInt32 = 0) -> UInt32 {
    update(previous, with: bytes, ethernetTables)
  }

  /// The CRC-32C of iSCSI, ext4 and TensorFlow's records (Castagnoli's polynomial 0x1EDC6F41).
  package static func castagnoli(of bytes: UnsafeRawBufferPointer) -> UInt32 {
    update(0, with: bytes, castagnoliTables)
  }

  private static let ethernetTables = tables(of: 0xEDB8_8320)
  private static let castagnoliTables = tables(of: 0x82F6_3B78)

  /// `tables[256 * k + b]` is the checksum of byte `b` followed by `k` zero bytes.
  private static func tables(of reflectedPolynomial: UInt32) -> [UInt32] {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ reflectedPolynomial : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<8 * 256 {
      let shorter = tables[index - 256]
      tables[index] = shorter >> 8 ^ tables[Int(shorter & 0xFF)]
    }
    return tables
  }

  private static func update(_ previous: UInt32, with bytes: UnsafeRawBufferPointer, _ tables: [UInt32]) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var value = ~previous
      var index = 0
      while index + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(value)
        let low =
          tables[1792 + Int(word & 0xFF)] ^ tables[1536 + Int(word >> 8 & 0xFF)]
          ^ tables[1280 + Int(word >> 16 & 0xFF)] ^ tables[1024 + Int(word >> 24 & 0xFF)]
        let high =
          tables[768 + Int(word >> 32 & 0xFF)] ^ tables[512 + Int(word >> 40 & 0xFF)]
          ^ tables[256 + Int(word >> 48 & 0xFF)] ^ tables[Int(word >> 56)]
        value = low ^ high
        index += 8
      }
      while index < bytes.count {
        value = value >> 8 ^ tables[Int((value ^ UInt32(bytes[index])) & 0xFF)]
        index += 1
      }
      return ~value
    }
  }
}

import CALMSupport
import Testing

@Suite("Checksums") struct CRC32Tests {
  private let digits = Array("123456789".utf8)

  @Test("CRC-32 and CRC-32C give their published check values")
  func checkValues() {
    #expect(digits.withUnsafeBytes { CRC32.checksum(of: $0) } == 0xCBF4_3926)
    #expect(digits.withUnsafeBytes { CRC32.castagnoli(of: $0) } == 0xE306_9283)
  }

  @Test("The checksum of data in several parts equals the checksum of the whole", arguments: 0...9)
  func parts(place: Int) {
    let first = digits[..<place].withUnsafeBytes { CRC32.checksum(of: $0) }
    #expect(digits[place...].withUnsafeBytes { CRC32.checksum(of: $0, after: first) } == 0xCBF4_3926)
  }
}

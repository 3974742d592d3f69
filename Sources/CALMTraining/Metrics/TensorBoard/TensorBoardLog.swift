import CALMSupport
import Foundation

/// Event files for TensorBoard with the metrics of a run: one file for each start and resumption.
///
/// A file is a sequence of records: length (8 bytes), checksum of the length, event, checksum of the event, all
/// little-endian. The checksums are masked CRC-32C values, so that a CRC over data with embedded CRCs is not weaker
/// (`record_writer.cc`).
final class TensorBoardLog {
  private static let prefix = "events.out.tfevents."

  private let file: AppendedFile

  /// Creates a file in `folder`. Removes the records of steps after `step` from older files, because the run writes them
  /// again.
  init(in folder: URL, resumingAfter step: Int) throws {
    var older: [String] = []
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name.hasPrefix(Self.prefix) {
      older.append(name)
      try Self.cut(folder.appendingPathComponent(name), after: step)
    }
    // Readers sort the files by name, which starts with the time of creation in seconds.
    let now = Date()
    let last = older.compactMap { Int($0.dropFirst(Self.prefix.count).prefix { $0 != "." }) }.max() ?? 0
    let second = max(Int(now.timeIntervalSince1970), last + 1)
    let host = ProcessInfo.processInfo.hostName
    let url = folder.appendingPathComponent("\(Self.prefix)\(second).\(host).\(getpid()).0")
    file = try AppendedFile(path: url.path)
    try append(.version(at: now))
    if step > 0 { try append(.restart(at: now, step: step + 1)) }
  }

  /// Appends the metrics of a step under the tags `group/name`.
  func append(step: Int, _ values: [String: Double], group: String) throws {
    let tagged = values.sorted { $0.key < $1.key }.map { (tag: "\(group)/\($0.key)", value: $0.value) }
    try append(.scalars(at: Date(), step: step, tagged))
  }

  private func append(_ event: EventMessage) throws {
    let length = Self.littleEndian(UInt64(event.bytes.count))
    var record = length + Self.littleEndian(length.withUnsafeBytes(Self.maskedChecksum))
    record += event.bytes
    record += Self.littleEndian(event.bytes.withUnsafeBytes(Self.maskedChecksum))
    try file.append(record)
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func maskedChecksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
    let checksum = CRC32.castagnoli(of: bytes)
    return (checksum >> 15 | checksum << 17) &+ 0xA282_EAD8
  }

  /// Truncates a file at the first record that is incomplete or of a step after `step`.
  private static func cut(_ url: URL, after step: Int) throws {
    let content = try Data(contentsOf: url, options: .mappedIfSafe)
    let kept = content.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Int in
      var kept = 0
      while let event = record(at: kept, in: bytes), let found = EventMessage.step(of: event), found <= step {
        kept += event.count + 16
      }
      return kept
    }
    if kept < content.count { try AppendedFile(path: url.path).cut(to: kept) }
  }

  /// The event of the record at `offset`; nil if the record is incomplete.
  private static func record(at offset: Int, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard offset + 16 <= bytes.count else { return nil }
    let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    guard length <= UInt64(bytes.count - offset - 16) else { return nil }
    let event = UnsafeRawBufferPointer(rebasing: bytes[(offset + 12)..<(offset + 12 + Int(length))])
    let stored = bytes.loadUnaligned(fromByteOffset: offset + 12 + event.count, as: UInt32.self)
    return maskedChecksum(of: event) == UInt32(littleEndian: stored) ? event : nil
  }
}

import Foundation

/// A message of TensorBoard's event files (`event.proto`, `summary.proto`) in the wire format of Protocol Buffers.
///
/// Scalars need only three messages of two or three fields each, so a dependency on swift-protobuf is not worthwhile.
package struct EventMessage {
  package private(set) var bytes: [UInt8] = []

  /// The first event of every file, with the format's version.
  package static func version(at time: Date) -> EventMessage {
    event(at: time, step: 0) { $0.append(field: 3, bytes: Array("brain.Event:2".utf8)) }
  }

  /// Tells readers to discard earlier values of this step and later ones.
  package static func restart(at time: Date, step: Int) -> EventMessage {
    event(at: time, step: step) { event in
      var log = EventMessage()
      log.append(field: 1, varint: 1)  // SessionLog.START
      event.append(field: 7, bytes: log.bytes)
    }
  }

  /// The metrics of a step by tag.
  package static func scalars(at time: Date, step: Int, _ values: [(tag: String, value: Double)]) -> EventMessage {
    event(at: time, step: step) { event in
      var summary = EventMessage()
      for (tag, value) in values {
        var entry = EventMessage()
        entry.append(field: 1, bytes: Array(tag.utf8))
        entry.append(field: 2, fixed: Float(value).bitPattern)
        summary.append(field: 1, bytes: entry.bytes)
      }
      event.append(field: 5, bytes: summary.bytes)
    }
  }

  /// The step of an encoded event; nil if the bytes are not an event.
  package static func step(of event: UnsafeRawBufferPointer) -> Int? {
    // Nine bytes of time, then the step, which is absent if it is 0.
    guard event.count >= 9, event[0] == key(1, .fixed64) else { return nil }
    guard event.count > 9, event[9] == key(2, .varint) else { return 0 }
    var (value, shift) = (UInt64(0), UInt64(0))
    for byte in event[10...] {
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return Int(truncatingIfNeeded: value) }
      shift += 7
      if shift > 63 { break }
    }
    return nil
  }

  private enum WireType: UInt8 {
    case varint, fixed64, bytes
    case fixed32 = 5
  }

  private static func key(_ field: UInt8, _ type: WireType) -> UInt8 { field << 3 | type.rawValue }

  private static func event(at time: Date, step: Int, content: (inout EventMessage) -> Void) -> EventMessage {
    var event = EventMessage()
    event.append(field: 1, fixed: time.timeIntervalSince1970.bitPattern)
    if step != 0 { event.append(field: 2, varint: UInt64(step)) }
    content(&event)
    return event
  }

  private mutating func append(field: UInt8, varint value: UInt64) {
    bytes.append(Self.key(field, .varint))
    append(varint: value)
  }

  private mutating func append(field: UInt8, bytes content: [UInt8]) {
    bytes.append(Self.key(field, .bytes))
    append(varint: UInt64(content.count))
    bytes += content
  }

  private mutating func append(field: UInt8, fixed value: some FixedWidthInteger) {
    bytes.append(Self.key(field, value.bitWidth == 64 ? .fixed64 : .fixed32))
    withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

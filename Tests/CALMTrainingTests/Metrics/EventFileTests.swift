import CALMSupport
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("TensorBoard event files", .serialized) struct EventFileTests {
  private let time = Date(timeIntervalSince1970: 1.5)

  private func hex(_ message: EventMessage) -> String { message.bytes.map { String(format: "%02x", $0) }.joined() }

  @Test("Events have the same bytes as those of TensorBoard's own library")
  func messages() {
    // tensorboard 2.20: Event(wall_time=1.5, …).SerializeToString().hex()
    let scalars = EventMessage.scalars(at: time, step: 300, [("train/loss", 2.5), ("b", -1)])
    #expect(
      hex(scalars)
        == "09000000000000f83f10ac022a1d0a110a0a747261696e2f6c6f737315000020400a080a016215000080bf")
    #expect(hex(.version(at: time)) == "09000000000000f83f1a0d627261696e2e4576656e743a32")
    #expect(hex(.restart(at: time, step: 7)) == "09000000000000f83f10073a020801")
    #expect(scalars.bytes.withUnsafeBytes { EventMessage.step(of: $0) } == 300)
  }

  @Test("The event files of a resumed run have each step once, with the values of metrics.jsonl")
  func resumed() throws {
    Runtime.threads = 1
    let world = try TinyWorld()
    var settings = world.settings(steps: 6)
    (settings.checkpointInterval, settings.evaluationInterval) = (2, 3)
    _ = try losses(of: try world.autoencoder("run", settings), until: 4)
    // A killed process leaves steps after its last checkpoint, and an incomplete record.
    let first = try #require(try eventFiles(in: world.place("run")).first)
    let stray = record(of: .scalars(at: time, step: 5, [("train/loss", 1)]))
    try (Data(contentsOf: first) + stray + stray.dropLast(9)).write(to: first)

    _ = try losses(of: try TrainingRun(resuming: world.place("run")))
    #expect(try eventFiles(in: world.place("run")).count == 2)
    let metrics = MetricsHistory(contentsOf: world.place("run/metrics.jsonl"))
    let events = try eventFiles(in: world.place("run")).flatMap { try records(in: Data(contentsOf: $0)) }
    for (group, series) in [("train", metrics.training), ("evaluation", metrics.evaluation)] {
      #expect(!series.isEmpty)
      for (name, values) in series {
        let logged = events.flatMap { event in
          event.scalars.filter { $0.tag == "\(group)/\(name)" }.map { (event.step, $0.value) }
        }
        #expect(logged.map(\.0) == values.points.map { Int($0.x) }, "\(name)")
        #expect(logged.map(\.1) == values.points.map { Float($0.y) }, "\(name)")
      }
    }
  }

  private func eventFiles(in run: URL) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(atPath: run.path).filter { $0.hasPrefix("events.out.tfevents.") }
      .sorted().map { run.appendingPathComponent($0) }
  }
}

/// A record of an event file, decoded independently of the code under test.
private struct EventRecord {
  var step = 0
  var scalars: [(tag: String, value: Float)] = []

  init(_ event: Data) {
    for (field, value) in fields(of: event) {
      if field == 2 { step = Int(value.number) }
      guard field == 5 else { continue }
      for (_, entry) in fields(of: value.content) {
        let parts = Dictionary(uniqueKeysWithValues: fields(of: entry.content))
        if let tag = parts[1], let number = parts[2] {
          scalars.append((String(decoding: tag.content, as: UTF8.self), Float(bitPattern: UInt32(number.number))))
        }
      }
    }
  }
}

private func integer(_ bytes: Data) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

private func masked(_ bytes: Data) -> UInt64 {
  let sum = Array(bytes).withUnsafeBytes { CRC32.castagnoli(of: $0) }
  return UInt64((sum >> 15 | sum << 17) &+ 0xA282_EAD8)
}

/// Encodes an event as a record.
private func record(of event: EventMessage) -> Data {
  func bytes(_ value: UInt64, _ count: Int) -> Data { Data((0..<count).map { UInt8(value >> (8 * $0) & 0xFF) }) }
  let (length, content) = (bytes(UInt64(event.bytes.count), 8), Data(event.bytes))
  return length + bytes(masked(length), 4) + content + bytes(masked(content), 4)
}

/// The complete records of a file, after checking their checksums.
private func records(in file: Data) -> [EventRecord] {
  var (records, rest): ([EventRecord], Data) = ([], file)
  while rest.count >= 16 {
    let length = Int(integer(rest.prefix(8)))
    guard rest.count >= length + 16 else { break }
    let event = rest.dropFirst(12).prefix(length)
    #expect(integer(rest.dropFirst(8).prefix(4)) == masked(rest.prefix(8)))
    #expect(integer(rest.dropFirst(12 + length).prefix(4)) == masked(event))
    records.append(EventRecord(event))
    rest = rest.dropFirst(length + 16)
  }
  return records
}

/// The fields of a Protocol Buffers message by number.
private func fields(of message: Data) -> [(Int, (number: UInt64, content: Data))] {
  var rest = message
  func varint() -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while let byte = rest.popFirst() {
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    return value
  }
  func take(_ count: Int) -> Data {
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }
  var fields: [(Int, (number: UInt64, content: Data))] = []
  while !rest.isEmpty {
    let key = varint()
    let value: (number: UInt64, content: Data) =
      switch key & 7 {
      case 0: (varint(), Data())
      case 1: (integer(take(8)), Data())
      case 2: (0, take(Int(varint())))
      default: (integer(take(4)), Data())
      }
    fields.append((Int(key >> 3), value))
  }
  return fields
}

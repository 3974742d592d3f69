import CALMSupport
import Foundation

/// A line of `metrics.jsonl`: the metrics of a training step or of an evaluation on held-out text.
struct MetricsLine {
  /// What the metrics of a line describe.
  enum Kind: String {
    /// A training step.
    case train
    /// An evaluation on held-out text.
    case evaluation
  }

  /// The kind of the line.
  let kind: Kind
  /// Steps taken.
  let step: Int
  /// The metrics in the order of the line; nil for null, which stands for NaN and infinity.
  let values: [(key: String, value: Double?)]

  /// Reads a line; nil if it is not a line of metrics. Members other than numbers and null are ignored.
  init?(_ bytes: some Sequence<UInt8>) {
    guard let line = try? JSONParser.parse(Array(bytes)), let members = line.object,
      let kind = line["kind"]?.string.flatMap(Kind.init)
    else { return nil }
    var step: Double?
    var values: [(key: String, value: Double?)] = []
    for member in members {
      let value: Double?
      switch member.value {
      case .integer(let integer): value = Double(integer)
      case .number(let number): value = number
      case .null: value = nil
      default: continue
      }
      if member.key == "step" { step = value } else { values.append((member.key, value)) }
    }
    guard let step = step.flatMap({ Int(exactly: $0) }) else { return nil }
    (self.kind, self.step, self.values) = (kind, step, values)
  }

  /// The value of a metric; nil if it is absent or null.
  subscript(key: String) -> Double? { values.first { $0.key == key }?.value }

  /// Encodes a line. JSON cannot represent a NaN or infinite value, which becomes null.
  static func encode(_ kind: Kind, step: Int, _ values: [String: Double]) throws -> Data {
    var members = values.mapValues { $0.isFinite ? Member.number($0) : .null }
    members["kind"] = .text(kind.rawValue)
    members["step"] = .number(Double(step))
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try encoder.encode(members) + Data("\n".utf8)
  }

  private enum Member: Encodable {
    case text(String)
    case number(Double)
    case null

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .number(let number): try container.encode(number)
      case .null: try container.encodeNil()
      }
    }
  }
}

/// The lines of a file from the last to the first, without an incomplete last line.
struct LinesFromTheEnd: Sequence, IteratorProtocol {
  private let content: Data
  /// The end of the remaining lines.
  private(set) var end: Data.Index

  init(_ content: Data) {
    self.content = content
    end = content.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? content.startIndex
  }

  mutating func next() -> Data? {
    guard end > content.startIndex else { return nil }
    let last = end - 1
    end = content[..<last].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? content.startIndex
    return content[end..<last]
  }

  /// The length of the content up to the end of the last line to keep.
  static func length(of content: Data, keeping isKept: (Data) -> Bool) -> Int {
    var lines = LinesFromTheEnd(content)
    var end = lines.end
    while let line = lines.next(), !isKept(line) { end = lines.end }
    return end - content.startIndex
  }
}

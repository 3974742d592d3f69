import CALMSupport
import Foundation

/// A line of `metrics.jsonl`: the figures of a step, or those of an evaluation on held-out text.
struct MetricsLine {
  /// Steps taken.
  let step: Int
  /// The metrics, in the order of the line; nil for null, a NaN or infinite metric.
  let values: [(key: String, value: Double?)]
  /// Whether it is an evaluation's.
  let isEvaluation: Bool

  /// Reads a line; nil where it is not one. Values other than numbers and null are skipped.
  init?(_ bytes: some Sequence<UInt8>) {
    guard let members = try? JSONParser.parse(Array(bytes)).object else { return nil }
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
    (self.step, self.values) = (step, values)
    isEvaluation = Self.isEvaluation(values.lazy.map(\.key))
  }

  /// A metric of this line; nil if it is absent or null.
  subscript(key: String) -> Double? { values.first { $0.key == key }?.value }

  /// Whether figures of these names are an evaluation's: every line of a step has its learning rate.
  static func isEvaluation(_ keys: some Sequence<String>) -> Bool { !keys.contains("learning_rate") }
}

/// The lines of a file's content from the last to the first, without those that no line end closes.
struct LinesFromTheEnd: Sequence, IteratorProtocol {
  private let content: Data
  /// Where the lines that are still to come end.
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

  /// Bytes of a file's content up to the end of the last line that is kept.
  static func length(of content: Data, keeping isKept: (Data) -> Bool) -> Int {
    var lines = LinesFromTheEnd(content)
    var end = lines.end
    while let line = lines.next(), !isKept(line) { end = lines.end }
    return end - content.startIndex
  }
}

import CALMSupport

/// An error in preparing or joining the parts of a data set.
public enum DataPartError: DescribedError, Equatable, Sendable {
  /// The size of an input is unknown, so the corpus cannot be divided.
  case indivisible(source: String)
  /// The target of a part already exists.
  case targetExists(path: String, isPart: Bool)
  /// The folder has no readable `part.json`.
  case notAPart(path: String, reason: String)
  /// The files of a part contradict its `part.json`.
  case damaged(path: String, reason: String)
  /// Parts are missing; `numbers` are in order.
  case missing(numbers: [Int], count: Int)
  /// Two folders are the same part.
  case repeated(part: CorpusPart, first: String, second: String)
  /// Two parts differ in a property that must be the same in all parts.
  case different(path: String, other: String, property: String, value: String, otherValue: String)
  /// Two parts have read different content from the same file.
  case sourceChanged(name: String, first: String, second: String)

  /// One line: the folder or file, what is wrong and what to do.
  public var description: String {
    switch self {
    case .indivisible(let source):
      "\(source): cannot be divided into parts, because its size is unknown; write the text to a file first"
    case .targetExists(let path, isPart: true):
      "\(path): already contains a part of a data set; choose another folder"
    case .targetExists(let path, isPart: false):
      "\(path): exists and is not a part of a data set; choose another folder"
    case .notAPart(let path, let reason):
      "\(path): not a finished part of a data set (\(reason)); prepare the part, or name its folder"
    case .damaged(let path, let reason):
      "\(path): \(reason), which contradicts \(DataPartManifest.fileName); copy the part again, or prepare it again"
    case .missing(let numbers, let count):
      Self.missing(numbers, of: count)
    case .repeated(let part, let first, let second):
      "\(first) and \(second) are both \(part); leave one of them out"
    case .different(let path, let other, let property, let value, let otherValue):
      "\(path): prepared with a different \(property) than \(other) (\(value), not \(otherValue)); "
        + "prepare all parts with the same text, tokenizer, settings and program"
    case .sourceChanged(let name, let first, let second):
      "\(name): \(first) and \(second) have read different text from this file; prepare these parts again"
    }
  }

  private static func missing(_ numbers: [Int], of count: Int) -> String {
    let shown = numbers.prefix(10).map(String.init).joined(separator: ", ") + (numbers.count > 10 ? ", …" : "")
    return numbers.count == 1
      ? "part \(shown) of \(count) is missing; name its folder too"
      : "parts \(shown) of \(count) are missing; name their folders too"
  }
}

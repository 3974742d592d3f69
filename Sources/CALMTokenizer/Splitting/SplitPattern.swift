/// How text is cut into pieces before byte pairs are merged; no token reaches over a cut.
///
/// The patterns are known by their regular expression but matched by scanners written for each of them, since a general
/// regular-expression engine would take most of the time of encoding. Letters, numbers and whitespace are those of
/// Unicode 16.
public enum SplitPattern: String, Sendable, CaseIterable {
  /// The pattern of GPT-2, which `tokenizer.json` files name as `ByteLevel` with `use_regex`.
  case gpt2
  /// The pattern of Llama 3, also known as cl100k.
  case llama3
  /// No cut at all: `ByteLevel` without `use_regex`.
  case wholeText

  /// The regular expression as `tokenizer.json` files write it; nil for `wholeText`.
  public var regularExpression: String? {
    switch self {
    case .gpt2:
      #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    case .llama3:
      #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"#
        + #"\s+(?!\S)|\s+"#
    case .wholeText:
      nil
    }
  }

  /// The lengths in bytes of the pieces that the pattern cuts `bytes` into; their sum is the number of bytes.
  package func pieceLengths(of bytes: [UInt8]) -> [Int] {
    switch self {
    case .gpt2: GPT2Splitter.pieceLengths(of: bytes)
    case .llama3: Llama3Splitter.pieceLengths(of: bytes)
    case .wholeText: WholeTextSplitter.pieceLengths(of: bytes)
    }
  }
}

/// A scanner that finds piece after piece.
protocol Splitter {
  /// Where the piece that begins at `start` ends. `start` is before the end of the text, and the result after `start`.
  static func endOfPiece(at start: Int, in text: ClassifiedText) -> Int
}

extension Splitter {
  static func pieceLengths(of bytes: [UInt8]) -> [Int] {
    bytes.withUnsafeBufferPointer { buffer in
      var lengths: [Int] = []
      guard let base = buffer.baseAddress else { return lengths }
      let text = ClassifiedText(base, end: buffer.count)
      var start = 0
      while start < text.end {
        let end = endOfPiece(at: start, in: text)
        lengths.append(end - start)
        start = end
      }
      return lengths
    }
  }
}

/// The splitter of `SplitPattern.wholeText`.
enum WholeTextSplitter: Splitter {
  static func endOfPiece(at start: Int, in text: ClassifiedText) -> Int { text.end }
}

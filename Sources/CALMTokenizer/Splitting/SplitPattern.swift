/// The pattern that splits text into pieces before byte pairs are merged. No token crosses a piece boundary.
///
/// Each pattern is defined by a regular expression and implemented by a hand-written scanner, because a general
/// regular-expression engine would dominate the time of encoding. Letters, numbers and whitespace are those of Unicode
/// 16.
public enum SplitPattern: String, Sendable, CaseIterable {
  /// The pattern of GPT-2, which is `ByteLevel` with `use_regex` in `tokenizer.json` files.
  case gpt2
  /// The pattern of Llama 3, also known as cl100k.
  case llama3
  /// No splitting: `ByteLevel` without `use_regex`.
  case wholeText

  /// The regular expression as written in `tokenizer.json` files; nil for `wholeText`.
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

  /// The lengths in bytes of the pieces of `bytes`. Their sum is the number of bytes.
  package func pieceLengths(of bytes: [UInt8]) -> [Int] {
    switch self {
    case .gpt2: GPT2Splitter.pieceLengths(of: bytes)
    case .llama3: Llama3Splitter.pieceLengths(of: bytes)
    case .wholeText: WholeTextSplitter.pieceLengths(of: bytes)
    }
  }
}

/// A scanner that finds the pieces of a text.
protocol Splitter {
  /// The end of the piece that begins at `start`. `start` is before the end of the text; the result is after `start`.
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

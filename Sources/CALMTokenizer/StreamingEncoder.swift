/// Encodes a text that arrives in parts of any size, in bounded memory.
///
///     var encoder = StreamingEncoder(tokenizer)
///     var ids: [Int32] = []
///     for part in parts { encoder.append(bytes: part, to: &ids) }
///     encoder.finish(to: &ids)
///
/// The ids equal those of the whole text, even if a part ends within a character. The encoder holds back only text
/// whose tokens can still change: at most a fixed amount and a few bytes more than the longest piece of the split
/// pattern.
public struct StreamingEncoder {
  private static let partSize = 1 << 16

  private var pass: EncodingPass
  private var held: [UInt8] = []
  /// The number of bytes to collect before the next attempt. It grows after an unsuccessful attempt, so that a long
  /// piece is not scanned again for each part.
  private var threshold = StreamingEncoder.partSize

  /// - Parameter allowSpecial: Whether the text of a special token is encoded as that token.
  public init(_ tokenizer: Tokenizer, allowSpecial: Bool = false) {
    pass = EncodingPass(tokenizer, allowSpecial: allowSpecial)
  }

  /// Adds the next bytes of the text and appends the ids that are final.
  public mutating func append(bytes: some Collection<UInt8>, to ids: inout [Int32]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = rest.prefix(Self.partSize)
      held.append(contentsOf: part)
      rest = rest.dropFirst(part.count)
      if held.count >= threshold { drain(isFinal: false, to: &ids) }
    }
  }

  /// Adds the next characters of the text and appends the ids that are final.
  public mutating func append(_ text: some StringProtocol, to ids: inout [Int32]) {
    append(bytes: text.utf8, to: &ids)
  }

  /// Ends the text and appends the remaining ids. The encoder can then encode another text.
  public mutating func finish(to ids: inout [Int32]) {
    drain(isFinal: true, to: &ids)
    pass.restart()
  }

  private mutating func drain(isFinal: Bool, to ids: inout [Int32]) {
    let encoded = held.withUnsafeBufferPointer { pass.encode($0, isFinal: isFinal, into: &ids) }
    held.removeFirst(encoded)
    threshold = max(Self.partSize, held.count * 2)
  }
}

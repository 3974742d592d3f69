/// Encodes a text that arrives in parts of any size, in memory that does not grow with it.
///
///     var encoder = StreamingEncoder(tokenizer)
///     var ids: [Int32] = []
///     for part in parts { encoder.append(bytes: part, to: &ids) }
///     encoder.finish(to: &ids)
///
/// The ids are those of the whole text encoded at once, wherever the parts are cut, inside a character as well. Only the
/// text whose tokens later text could still change is held: at most a few bytes beyond the longest piece that the split
/// pattern finds, and a fixed amount on top.
public struct StreamingEncoder {
  private static let partSize = 1 << 16

  private var pass: EncodingPass
  private var held: [UInt8] = []
  /// How many bytes to gather before the next attempt: more after one in vain, so that a long piece is not searched
  /// again for each part of it.
  private var threshold = StreamingEncoder.partSize

  /// - Parameter allowSpecial: whether the text of a special token becomes that token.
  public init(_ tokenizer: Tokenizer, allowSpecial: Bool = false) {
    pass = EncodingPass(tokenizer, allowSpecial: allowSpecial)
  }

  /// Takes the next bytes of the text and appends the ids that are certain by now.
  public mutating func append(bytes: some Collection<UInt8>, to ids: inout [Int32]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = rest.prefix(Self.partSize)
      held.append(contentsOf: part)
      rest = rest.dropFirst(part.count)
      if held.count >= threshold { drain(isFinal: false, to: &ids) }
    }
  }

  /// Takes the next characters of the text and appends the ids that are certain by now.
  public mutating func append(_ text: some StringProtocol, to ids: inout [Int32]) {
    append(bytes: text.utf8, to: &ids)
  }

  /// Appends the ids of what is held, as the text ends here. The encoder is then ready for another text.
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

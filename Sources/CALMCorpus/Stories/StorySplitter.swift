/// Splits text into sentences, following the punctuation of the synthetic stories. Any text is valid input.
///
/// A sentence ends
/// * at a full stop, exclamation mark or question mark outside quotation marks, if white space or the end follows;
/// * at a closing quotation mark right after such a mark, if the end follows, or white space and no lower-case letter:
///   `"Thank you!" said Mia.` is one sentence, and `Mia said, "Thank you!" Tom laughed.` is two.
///
/// A quotation mark opens a quotation at the start or after white space, and closes one otherwise. An unpaired mark
/// counts as a letter, so a missing mark affects only the adjacent sentences.
struct StorySplitter {
  /// The sentences, without surrounding white space.
  private(set) var sentences: [[UInt8]] = []
  /// The text after the last complete sentence: an incomplete sentence or nothing.
  private(set) var remainder: [UInt8] = []

  private let text: [UInt8]
  private var starts: [Int] = []

  init(_ string: some StringProtocol) {
    text = Array(string.utf8)
    var start = 0
    var position = 0
    while position < text.count {
      var end = position
      if opensQuotation(position, start: start), let closing = closingMark(after: position) {
        end = closing
      }
      position = end + 1
      if endsSentence(end) {
        sentences.append(trimmed(start..<position))
        starts.append(start)
        start = position
      }
    }
    remainder = trimmed(start..<text.count)
  }

  /// The text from a sentence to the end.
  func tail(fromSentence index: Int) -> [UInt8] {
    trimmed(starts[index]..<text.count)
  }

  private func opensQuotation(_ position: Int, start: Int) -> Bool {
    text[position] == quotationMark && (position == start || isSpace(text[position - 1]))
  }

  /// The mark that closes the quotation opened at `opening`, if the next mark is a closing one.
  private func closingMark(after opening: Int) -> Int? {
    guard let next = text[(opening + 1)...].firstIndex(of: quotationMark), !isSpace(text[next - 1]) else { return nil }
    return next
  }

  private func endsSentence(_ position: Int) -> Bool {
    guard position + 1 == text.count || isSpace(text[position + 1]) else { return false }
    if isFinal(text[position]) { return true }
    guard text[position] == quotationMark, position > 0, isFinal(text[position - 1]) else { return false }
    guard let follower = text[(position + 1)...].first(where: { !isSpace($0) }) else { return true }
    return !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains(follower)
  }

  private func trimmed(_ range: Range<Int>) -> [UInt8] {
    let slice = text[range].drop(while: isSpace)
    guard let last = slice.lastIndex(where: { !isSpace($0) }) else { return [] }
    return Array(slice[...last])
  }
}

private let quotationMark = UInt8(ascii: "\"")

private func isSpace(_ byte: UInt8) -> Bool {
  byte == 0x20 || (0x09...0x0D).contains(byte)
}

private func isFinal(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: ".") || byte == UInt8(ascii: "!") || byte == UInt8(ascii: "?")
}

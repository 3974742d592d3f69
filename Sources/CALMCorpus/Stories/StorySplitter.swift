/// Divides text into sentences, as the tales are written, and copes with anything else.
///
/// A sentence ends
/// * at a full stop, exclamation or question mark outside quotation marks, when white space or the end follows;
/// * at a closing quotation mark right after such a sign, when the end or white space follows but no small letter:
///   `"Thank you!" said Mia.` is one sentence and `Mia said, "Thank you!" Tom laughed.` two.
///
/// A quotation mark opens where white space or nothing stands before it, and closes otherwise. One without a partner
/// counts as a letter, so that a missing mark spoils no more than the sentences around it.
struct StorySplitter {
  /// The sentences, white space around them removed.
  private(set) var sentences: [[UInt8]] = []
  /// What follows the last complete sentence: a sentence cut short, or nothing.
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

  /// Everything from a sentence on.
  func tail(fromSentence index: Int) -> [UInt8] {
    trimmed(starts[index]..<text.count)
  }

  private func opensQuotation(_ position: Int, start: Int) -> Bool {
    text[position] == quotationMark && (position == start || isSpace(text[position - 1]))
  }

  /// The mark that closes the quotation opened at `opening`, if the next mark does close and not open.
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

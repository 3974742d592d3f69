import CALMSupport
import CALMTerminal

/// A file that contains a prompt.
enum PromptFile {
  /// The text of a file, without a byte-order mark and without the final newline that editors add.
  ///
  /// - Parameter path: the file; `-` is standard input.
  /// - Throws: ``PromptError``, ``FileError``.
  static func read(_ path: String) throws -> String {
    let input = try ByteInput(path)
    var bytes: [UInt8] = []
    while let part = try input.next() { bytes += part }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    let text = String(decoding: bytes, as: UTF8.self)
    // Decoding repairs bytes that are not UTF-8, so the first byte that differs is the first invalid one.
    guard text.utf8.elementsEqual(bytes) else {
      let offset = zip(text.utf8, bytes).prefix { $0 == $1 }.count
      throw PromptError.notUTF8(file: input.name, byteOffset: offset)
    }
    return text
  }
}

/// A prompt that cannot be read.
enum PromptError: DescribedError, Equatable {
  case notUTF8(file: String, byteOffset: Int)

  var description: String {
    switch self {
    case .notUTF8(let file, let byteOffset): "\(file): not UTF-8 at byte \(byteOffset); convert the file"
    }
  }
}

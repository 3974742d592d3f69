import CALMSupport

/// Why a corpus cannot be read: one line that names the file, the place in it and what to do.
public enum CorpusError: DescribedError, Equatable, Sendable {
  /// No path was given at all.
  case noPaths
  /// Nothing stands at this path.
  case missing(path: String)
  /// A pattern with `*`, `?` or `[…]` that no file matches.
  case noMatch(pattern: String)
  /// The system refused to open or read the file.
  case unreadable(path: String, reason: String)
  /// A file without a byte, or without a document.
  case empty(path: String)
  /// A folder without a file of a known ending, or whose files hold no document.
  case noText(folder: String, endings: [String])
  /// Bytes that are not UTF-8, at a byte offset (from 0) and line (from 1) of the decompressed file.
  case notUTF8(path: String, byteOffset: Int, line: Int)
  /// A line (from 1) that is not a JSON object with the wanted text.
  case malformedLine(path: String, line: Int, reason: String)
  /// Plain text where prompts and completions are wanted.
  case noPrompts(path: String)
  /// The program that decompresses this file is not installed.
  case missingProgram(path: String, program: String)
  /// The program that decompresses this file reported a failure.
  case decompressionFailed(path: String, program: String, reason: String)

  /// One line: the file, what is wrong with it, what to do.
  public var description: String {
    switch self {
    case .noPaths:
      "no text given: name files, folders, patterns such as 'books/*.txt', or - for standard input"
    case .missing(let path):
      "\(path): no such file or folder"
    case .noMatch(let pattern):
      "\(pattern): no file matches this pattern"
    case .unreadable(let path, let reason):
      "\(path): cannot be read: \(reason)"
    case .empty(let path):
      "\(path): holds no text; leave it out or fill it"
    case .noText(let folder, let endings):
      "\(folder): this folder holds no text; expected files ending in .\(endings.joined(separator: ", .")), "
        + "or one of these followed by .gz or .zst"
    case .notUTF8(let path, let byteOffset, let line):
      "\(path): not UTF-8 at byte \(byteOffset) (line \(line)); convert the file, or replace such bytes with --lossy"
    case .malformedLine(let path, let line, let reason):
      "\(path):\(line): \(reason); mend the line, or pass over such lines with --skip-malformed"
    case .noPrompts(let path):
      "\(path): plain text has no prompts and completions; give JSON lines with a field for each"
    case .missingProgram(let path, let program):
      "\(path): needs the program \(program), which is not installed; install it, or decompress the file first"
    case .decompressionFailed(let path, let program, let reason):
      "\(path): \(program) failed: \(reason); the file is damaged or incomplete"
    }
  }
}

import CALMSupport

/// An error in reading a corpus.
public enum CorpusError: DescribedError, Equatable, Sendable {
  /// No path was given.
  case noPaths
  /// There is no file or folder at this path.
  case missing(path: String)
  /// No file matches a pattern with `*`, `?` or `[…]`.
  case noMatch(pattern: String)
  /// The operating system could not open or read the file.
  case unreadable(path: String, reason: String)
  /// The file is empty or has no documents.
  case empty(path: String)
  /// The folder has no files with a known extension, or the files have no documents.
  case noText(folder: String, endings: [String])
  /// The decompressed file is not valid UTF-8 at a byte offset (from 0) and line (from 1).
  case notUTF8(path: String, byteOffset: Int, line: Int)
  /// A line (from 1) is not a JSON object with the expected text field.
  case malformedLine(path: String, line: Int, reason: String)
  /// The file is plain text, but prompts and completions are expected.
  case noPrompts(path: String)
  /// The program that decompresses the file is not installed.
  case missingProgram(path: String, program: String)
  /// The program that decompresses the file failed.
  case decompressionFailed(path: String, program: String, reason: String)

  /// One line: the file, what is wrong and what to do.
  public var description: String {
    switch self {
    case .noPaths:
      "no text given; name files, folders, patterns such as 'books/*.txt', or - for standard input"
    case .missing(let path):
      "\(path): no such file or folder; check the path"
    case .noMatch(let pattern):
      "\(pattern): no file matches this pattern; check the folder and the pattern"
    case .unreadable(let path, let reason):
      "\(path): cannot be read: \(reason); check the file and its permissions"
    case .empty(let path):
      "\(path): contains no text; leave the file out, or add text"
    case .noText(let folder, let endings):
      "\(folder): the folder contains no text; add files ending in .\(endings.joined(separator: ", .")), "
        + "optionally followed by .gz or .zst"
    case .notUTF8(let path, let byteOffset, let line):
      "\(path): not valid UTF-8 at byte \(byteOffset) (line \(line)); convert the file to UTF-8"
    case .malformedLine(let path, let line, let reason):
      "\(path):\(line): \(reason); correct the line"
    case .noPrompts(let path):
      "\(path): plain text has no prompts and completions; use JSON Lines with a field for each"
    case .missingProgram(let path, let program):
      "\(path): requires the program \(program), which is not installed; install it, or decompress the file first"
    case .decompressionFailed(let path, let program, let reason):
      "\(path): \(program) failed: \(reason); the file may be damaged or incomplete, so obtain it again"
    }
  }
}

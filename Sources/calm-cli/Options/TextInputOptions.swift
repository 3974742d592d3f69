import ArgumentParser
import TextCorpus

/// Text that a command reads, and how its bytes become documents.
struct TextInputOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      """
      Text: files (.txt, .jsonl, each also .gz or .zst), folders, patterns such as 'books/*.txt', or - for standard input.
      """, valueName: "files"))
  var paths: [String]

  @Option(help: "How files are understood; auto goes by their ending.")
  var format = CorpusFormat.automatic

  @Option(help: "What is one document in plain text.")
  var split = TextSplit.file

  @Option(help: ArgumentHelp("The member of each JSON line that holds the text.", valueName: "name"))
  var textField = "text"

  @Flag(help: "Replace bytes that are not UTF-8 instead of stopping at them.")
  var lossy = false

  @Flag(help: "Pass over malformed JSON lines, and count them, instead of stopping.")
  var skipMalformed = false

  /// A reader of the documents.
  ///
  /// - Throws: ``CorpusError`` for what is missing, empty or unreadable.
  func reader() throws -> CorpusReader {
    let options = CorpusOptions(
      format: format, split: split, textField: textField, lossy: lossy, skipMalformed: skipMalformed)
    return try CorpusReader(paths: paths, options: options)
  }
}

extension TextSplit: ExpressibleByArgument {}

extension CorpusFormat: ExpressibleByArgument {
  /// Reads `auto`, `text` or `jsonl`.
  public init?(argument: String) {
    guard let format = Self.allCases.first(where: { $0.defaultValueDescription == argument }) else { return nil }
    self = format
  }

  /// The word on the command line.
  public var defaultValueDescription: String { self == .automatic ? "auto" : rawValue }

  /// The words on the command line.
  public static var allValueStrings: [String] { allCases.map(\.defaultValueDescription) }
}

extension CorpusProgress {
  /// What was passed over or repaired, in words for a line of result; empty where nothing was.
  var remarks: String {
    var parts: [String] = []
    if skippedLines > 0 { parts.append("\(counted(skippedLines, "malformed line")) passed over") }
    if repairedDocuments > 0 { parts.append("\(counted(repairedDocuments, "document")) repaired") }
    return parts.map { "; " + $0 }.joined()
  }
}

import ArgumentParser
import CALMCorpus
import CALMTerminal

/// The text that a command reads, and how its bytes are split into documents.
struct TextInputOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      """
      Text: files (.txt, .jsonl, each also .gz or .zst), folders, patterns such as 'books/*.txt', or - for standard input.
      """, valueName: "files"))
  var paths: [String]

  @Option(help: "Format of the files; auto decides by the file extension.")
  var format = Format.auto

  @Option(help: "What counts as one document in plain text. (default: file)")
  var documentUnit: DocumentUnit?

  @Option(help: ArgumentHelp("JSON field with the text. (default: text)", valueName: "name"))
  var textField: String?

  @OptionGroup var faults: TextFaultOptions

  /// ``CorpusFormat`` with the names of the command line.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case auto, text, jsonl

    var corpusFormat: CorpusFormat {
      switch self {
      case .auto: .automatic
      case .text: .text
      case .jsonl: .jsonLines
      }
    }
  }

  /// A reader of the documents.
  ///
  /// - Parameter fields: the JSON fields that contain prompt and completion; nil reads ``textField``.
  /// - Throws: ``CorpusError`` for missing, empty or unreadable input; a usage error for options that have no effect.
  func reader(fields: (prompt: String, completion: String)? = nil) throws -> CorpusReader {
    let options = CorpusOptions(
      format: format.corpusFormat, documentUnit: documentUnit ?? .file,
      textField: fields?.completion ?? textField ?? "text",
      promptField: fields?.prompt, lossy: faults.lossy, skipMalformed: faults.skipMalformed)
    let reader = try CorpusReader(paths: paths, options: options)
    try refuse(
      faults.problems(with: reader)
        + withoutEffect("on JSON lines", when: !reader.readsPlainText, ["--document-unit": documentUnit])
        + withoutEffect("on plain text", when: !reader.readsJSONLines, ["--text-field": textField]))
    return reader
  }
}

/// The handling of malformed text, for every command that reads text.
struct TextFaultOptions: ParsableArguments {
  @Flag(help: "Replace bytes that are not UTF-8 instead of failing.")
  var lossy = false

  @Flag(help: "Skip and count malformed JSON lines instead of failing.")
  var skipMalformed = false

  /// The options that have no effect on the reader's input.
  func problems(with reader: CorpusReader) -> [String] {
    withoutEffect("on plain text", when: !reader.readsJSONLines, ["--skip-malformed": skipMalformed.ifGiven])
  }
}

extension DocumentUnit: ExpressibleByArgument {}

extension CorpusProgress {
  /// A description of skipped lines and repaired documents, to append to a result line; empty if there are none.
  var remarks: String {
    var parts: [String] = []
    if skippedLines > 0 { parts.append("\(counted(skippedLines, "malformed line")) skipped") }
    if repairedDocuments > 0 { parts.append("\(counted(repairedDocuments, "document")) repaired") }
    return parts.map { "; " + $0 }.joined()
  }
}

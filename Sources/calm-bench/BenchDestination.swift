import ArgumentParser
import CALMSupport
import CALMTerminal
import Foundation

/// Where the results are kept: `--out` and `--markdown`.
struct BenchDestination: ParsableArguments {
  @Option(name: .customLong("out"), help: ArgumentHelp("JSON file to which to add the results.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Document into which to write the table of --out.", valueName: "file"))
  var markdown: String?

  func validate() throws {
    if markdown != nil && output == nil { throw ValidationError("--markdown requires --out; set both") }
  }

  /// The results that --out contains already.
  func results() throws -> BenchResults {
    for path in [output, markdown] {
      if let path { try requireParentFolder(of: URL(fileURLWithPath: path)) }
    }
    return try output.flatMap(BenchResults.init(contentsOf:)) ?? BenchResults()
  }

  func write(_ results: BenchResults) throws {
    guard let output else { return }
    try BenchTable.write(results, to: output)
    let name = URL(fileURLWithPath: output).deletingPathExtension().lastPathComponent
    if let markdown { try Self.insert(results.markdown, name: name, into: markdown) }
  }

  /// Replaces the text between the marks of a table, or appends marks and table to the document.
  private static func insert(_ table: String, name: String, into path: String) throws {
    let (begin, end) = ("<!-- calm-bench \(name) -->\n", "<!-- end of calm-bench \(name) -->\n")
    let block = begin + "\n" + table + "\n" + end
    var document = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    if let first = document.range(of: begin),
      let last = document.range(of: end, range: first.upperBound..<document.endIndex)
    {
      document.replaceSubrange(first.lowerBound..<last.upperBound, with: block)
    } else {
      document += block
    }
    try AtomicFile.write(Data(document.utf8), to: path)
  }
}

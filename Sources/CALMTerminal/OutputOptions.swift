import ArgumentParser
import Foundation

/// The output format of a command: `--json`.
package struct OutputOptions: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print results as JSON.")
  package var isJSON = false

  package init() {}

  /// Prints results to standard output, as JSON with keys in snake_case or as `text`.
  package func print(_ results: some Encodable, text: @autoclosure () -> String) throws {
    guard isJSON else {
      let text = text()
      return try StandardOutput.write(text.hasSuffix("\n") ? text : text + "\n")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.dateEncodingStrategy = .iso8601
    // JSON has no infinity or NaN; as strings they do not prevent the output of the other results.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let data = try encoder.encode(results)
    try StandardOutput.write(String(decoding: data, as: UTF8.self) + "\n")
  }
}

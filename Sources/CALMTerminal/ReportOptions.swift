import ArgumentParser
import Foundation

/// How a command tells its figures: `--json`.
package struct ReportOptions: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print the figures as JSON instead of text.")
  package var isJSON = false

  package init() {}

  /// Writes the figures to standard output, as JSON with keys in snake_case or as `text`.
  package func print(_ figures: some Encodable, text: @autoclosure () -> String) throws {
    guard isJSON else {
      let text = text()
      return try StandardOutput.write(text.hasSuffix("\n") ? text : text + "\n")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.dateEncodingStrategy = .iso8601
    // JSON has no infinity; a figure that went wrong shall not take the others with it.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let data = try encoder.encode(figures)
    try StandardOutput.write(String(decoding: data, as: UTF8.self) + "\n")
  }
}

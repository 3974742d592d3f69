import ArgumentParser
import Foundation

/// What went wrong, in one line.
///
/// The errors of this package say it themselves. Foundation's name at most the last part of a path, so theirs is put
/// before them.
package func failureLine(for error: any Error) -> String {
  var line: String
  if let error = error as? CocoaError {
    line = error.localizedDescription
    if let path = error.filePath { line = "\(path): \(line)" }
  } else if type(of: error) is NSError.Type {
    line = (error as NSError).localizedDescription
  } else {
    line = PlainCommand.message(for: error)
  }
  return line.split(whereSeparator: \.isNewline).joined(separator: " ")
}

/// Any command: ArgumentParser words the errors of all alike.
private struct PlainCommand: ParsableCommand {}

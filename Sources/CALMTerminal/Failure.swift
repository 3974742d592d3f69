import ArgumentParser
import Foundation

/// A description of an error in one line.
///
/// Foundation's errors name at most the last component of a path, so the whole path precedes their description.
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

/// A command without options, through which ArgumentParser describes errors.
private struct PlainCommand: ParsableCommand {}

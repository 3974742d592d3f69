import CALMSupport
import Testing
import Torch

/// Expects `body` to throw an error of one line that contains the file name and `words`.
func expectRefused(
  _ words: String, file: String, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("no error with: \(words)", sourceLocation: sourceLocation)
  } catch {
    let line = "\(error)"
    #expect(error is CheckpointError || error is FileError, "\(line)", sourceLocation: sourceLocation)
    #expect((words.isEmpty || line.contains(words)) && line.contains(file), "\(line)", sourceLocation: sourceLocation)
    #expect(!line.contains { $0.isNewline } && line.utf8.count < 1000, "\(line)", sourceLocation: sourceLocation)
  }
}

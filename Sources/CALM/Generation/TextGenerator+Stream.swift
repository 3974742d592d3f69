import Foundation

extension TextGenerator {
  /// Generates all texts in the background, and returns their pieces as they are generated.
  ///
  /// ```swift
  /// for try await piece in generator.stream() { print(piece.text, terminator: "") }
  /// ```
  ///
  /// Generation runs on a dedicated thread, since libtorch keeps state per thread, and does not block the threads of
  /// Swift concurrency. It does not wait for its consumer. If the consumer's task is cancelled or the stream is
  /// released, generation stops after the current chunk. An error of ``step()`` ends the stream.
  ///
  /// - Precondition: until the stream has ended, neither the generator nor its model's weights are used elsewhere.
  public func stream() -> AsyncThrowingStream<Piece, any Error> {
    AsyncThrowingStream { continuation in
      let worker = StreamWorker(generator: self, continuation: continuation)
      let thread = Thread { worker.run() }
      thread.name = "TextGenerator.stream"
      // The default of secondary threads on macOS, 512 KB, is less than libtorch may need.
      thread.stackSize = 8 << 20
      thread.start()
    }
  }
}

/// Moves a generator to the thread of a stream.
///
/// `@unchecked`: neither the generator nor its model is `Sendable`. All earlier uses of them happen before the start of
/// the thread, and the precondition of ``TextGenerator/stream()`` excludes others while it runs.
private struct StreamWorker: @unchecked Sendable {
  let generator: TextGenerator
  let continuation: AsyncThrowingStream<TextGenerator.Piece, any Error>.Continuation

  /// Generates until all texts have ended, a step fails or the stream has no reader.
  func run() {
    do {
      while let pieces = try generator.step() {
        for piece in pieces {
          if case .terminated = continuation.yield(piece) { return }
        }
      }
      continuation.finish()
    } catch {
      continuation.finish(throwing: error)
    }
  }
}

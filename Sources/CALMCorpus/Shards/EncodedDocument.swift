import Foundation

/// A document as token ids.
struct EncodedDocument: Sendable, Equatable {
  /// The ids, without an end-of-text id.
  var tokens: [Int32] = []
  /// The number of prompt tokens at the start.
  var prompt = 0
  /// The size of the text in bytes of UTF-8.
  var bytes = 0
}

extension DataPreparation {
  /// Encodes documents with several threads, in order. Prompt and completion are encoded separately, because
  /// generation from a prompt cannot produce a token across the boundary either.
  func encoded(
    _ documents: [Document], with encode: @escaping @Sendable (String) throws -> [Int32]
  ) throws -> [EncodedDocument] {
    let results = EncodingResults(count: documents.count)
    DispatchQueue.concurrentPerform(iterations: min(threads, documents.count)) { _ in
      while let index = results.claim() {
        results.store(
          Result {
            let document = documents[index]
            let prompt = try document.prompt.map(encode) ?? []
            return EncodedDocument(
              tokens: prompt + (try encode(document.text)), prompt: prompt.count, bytes: document.bytes)
          }, at: index)
      }
    }
    return try results.all()
  }
}

/// Results of several threads, each of which claims the next unclaimed document.
private final class EncodingResults: @unchecked Sendable {
  private let lock = NSLock()
  private var next = 0
  private var results: [Result<EncodedDocument, any Error>]
  private var failed = false

  init(count: Int) {
    results = Array(repeating: .success(EncodedDocument()), count: count)
  }

  func claim() -> Int? {
    lock.withLock {
      guard next < results.count, !failed else { return nil }
      next += 1
      return next - 1
    }
  }

  func store(_ result: Result<EncodedDocument, any Error>, at index: Int) {
    lock.withLock {
      results[index] = result
      if case .failure = result { failed = true }
    }
  }

  func all() throws -> [EncodedDocument] { try lock.withLock { try results.map { try $0.get() } } }
}

import CALM
import Foundation

/// A model whose steps can be held, so that requests that should run together cannot end before all have arrived.
final class HeldBatch: BatchModel {
  private let model: any BatchModel
  private let gate: Gate

  init(_ model: any BatchModel, gate: Gate) { (self.model, self.gate) = (model, gate) }

  var chunkSize: Int { model.chunkSize }
  var maximumTokens: Int { model.maximumTokens }
  var bytesPerPosition: Int { model.bytesPerPosition }
  var hasProbabilities: Bool { model.hasProbabilities }
  var hasDocumentEnds: Bool { model.hasDocumentEnds }

  func sequence(prompt: [Int32], options: GenerationOptions, index: Int) throws -> BatchSequence {
    try model.sequence(prompt: prompt, options: options, index: index)
  }

  func read(_ sequence: BatchSequence) -> Int { model.read(sequence) }

  func step(_ sequences: [BatchSequence]) -> [Result<GeneratedChunk?, any Error>] {
    gate.pass()
    return model.step(sequences)
  }
}

/// A gate, open at first.
final class Gate: @unchecked Sendable {
  private let condition = NSCondition()
  private var isClosed = false

  /// Blocks threads that pass from now on.
  func close() { set(closed: true) }

  /// Lets all threads pass.
  func open() { set(closed: false) }

  /// Waits until the gate is open.
  func pass() {
    condition.withLock {
      while isClosed { condition.wait() }
    }
  }

  private func set(closed: Bool) {
    condition.withLock {
      isClosed = closed
      condition.broadcast()
    }
  }
}

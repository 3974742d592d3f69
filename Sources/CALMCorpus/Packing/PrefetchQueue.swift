import Foundation

/// A bounded queue between a producer thread and a consumer thread.
final class PrefetchQueue<Element: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var elements: [Element] = []
  private var failure: (any Error)?
  private var closed = false

  init(capacity: Int) {
    self.capacity = max(1, capacity)
  }

  /// Adds an element, waiting while the queue is full. Returns false once the queue is closed.
  func put(_ element: Element) -> Bool {
    condition.withLock {
      while elements.count >= capacity && !closed { condition.wait() }
      if !closed { elements.append(element) }
      condition.broadcast()
      return !closed
    }
  }

  /// Makes ``take()`` throw `error` after the elements already in the queue.
  func fail(_ error: any Error) {
    condition.withLock {
      failure = error
      condition.broadcast()
    }
  }

  /// Removes the oldest element, waiting while the queue is empty.
  func take() throws -> Element {
    try condition.withLock {
      while elements.isEmpty {
        if let failure { throw failure }
        condition.wait()
      }
      defer { condition.broadcast() }
      return elements.removeFirst()
    }
  }

  /// Closes the queue, which ends the producer.
  func close() {
    condition.withLock {
      closed = true
      condition.broadcast()
    }
  }
}

import Foundation

/// A bounded queue between one thread that makes things and one that uses them.
final class PrefetchQueue<Element: Sendable>: @unchecked Sendable {
  private let condition = NSCondition()
  private let capacity: Int
  private var elements: [Element] = []
  private var failure: (any Error)?
  private var closed = false

  init(capacity: Int) {
    self.capacity = max(1, capacity)
  }

  /// Adds an element, waiting while the queue is full; false once nobody wants more.
  func put(_ element: Element) -> Bool {
    condition.withLock {
      while elements.count >= capacity && !closed { condition.wait() }
      if !closed { elements.append(element) }
      condition.broadcast()
      return !closed
    }
  }

  /// Makes ``take()`` throw `error` once the elements before it are taken.
  func fail(_ error: any Error) {
    condition.withLock {
      failure = error
      condition.broadcast()
    }
  }

  /// Removes the oldest element, waiting while there is none.
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

  /// Tells the making thread to end.
  func close() {
    condition.withLock {
      closed = true
      condition.broadcast()
    }
  }
}

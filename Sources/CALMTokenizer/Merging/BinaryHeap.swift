/// A priority queue whose `popMin` removes the smallest element.
struct BinaryHeap<Element: Comparable> {
  private var elements: ContiguousArray<Element>

  /// Creates a heap of `elements` in linear time.
  init(_ elements: ContiguousArray<Element> = []) {
    self.elements = elements
    for index in stride(from: elements.count / 2 - 1, through: 0, by: -1) { siftDown(from: index) }
  }

  mutating func insert(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if elements[parent] <= element { break }
      elements[child] = elements[parent]
      child = parent
    }
    elements[child] = element
  }

  mutating func popMin() -> Element? {
    guard let last = elements.popLast() else { return nil }
    guard let smallest = elements.first else { return last }
    elements[0] = last
    siftDown(from: 0)
    return smallest
  }

  private mutating func siftDown(from start: Int) {
    let element = elements[start]
    var parent = start
    while true {
      var child = 2 * parent + 1
      if child >= elements.count { break }
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      if element <= elements[child] { break }
      elements[parent] = elements[child]
      parent = child
    }
    elements[parent] = element
  }
}

/// A token that is matched in the text before splitting and merging.
public struct AddedToken: Hashable, Sendable {
  /// The token's id.
  public let id: Int32
  /// The token's text.
  public let content: String
  /// Whether the token is special, such as `<bos>`. Special tokens are matched in text only if the caller allows it;
  /// other added tokens always are.
  public let isSpecial: Bool
  /// The flag `normalized` of `tokenizer.json`. Such tokens are matched after the others.
  let isNormalized: Bool

  init(id: Int32, content: String, isSpecial: Bool, isNormalized: Bool = false) {
    self.id = id
    self.content = content
    self.isSpecial = isSpecial
    self.isNormalized = isNormalized
  }
}

/// Finds the first of a set of added tokens in a text, preferring the longest of several at the same position.
struct AddedTokenMatcher: Sendable {
  struct Match {
    var start: Int
    var end: Int
    var id: Int32
  }

  /// The length in bytes of the longest token.
  let longest: Int
  private var isFirstByte = ContiguousArray(repeating: false, count: 256)
  /// The edges of a trie: from a node and a byte to the next node. The root is 0.
  private var edges: [UInt64: Int32] = [:]
  /// The token that ends at a node, or −1.
  private var tokenAtNode: ContiguousArray<Int32> = [-1]

  /// Creates a matcher; nil without tokens.
  init?(_ tokens: [AddedToken]) {
    guard !tokens.isEmpty else { return nil }
    longest = tokens.map(\.content.utf8.count).reduce(0, max)
    for token in tokens {
      var node: Int32 = 0
      for (index, byte) in token.content.utf8.enumerated() {
        if index == 0 { isFirstByte[Int(byte)] = true }
        let edge = Self.edge(node, byte)
        if let known = edges[edge] {
          node = known
        } else {
          node = Int32(tokenAtNode.count)
          tokenAtNode.append(-1)
          edges[edge] = node
        }
      }
      tokenAtNode[Int(node)] = token.id
    }
  }

  /// The first match in `range` of `text`.
  func firstMatch(in text: UnsafeBufferPointer<UInt8>, range: Range<Int>) -> Match? {
    isFirstByte.withUnsafeBufferPointer { isFirstByte in
      for start in range where isFirstByte[Int(text[start])] {
        if let match = longestMatch(at: start, in: text, end: range.upperBound) { return match }
      }
      return nil
    }
  }

  private func longestMatch(at start: Int, in text: UnsafeBufferPointer<UInt8>, end: Int) -> Match? {
    var node: Int32 = 0
    var match: Match?
    for index in start..<end {
      guard let next = edges[Self.edge(node, text[index])] else { break }
      node = next
      let id = tokenAtNode[Int(node)]
      if id >= 0 { match = Match(start: start, end: index + 1, id: id) }
    }
    return match
  }

  private static func edge(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }
}

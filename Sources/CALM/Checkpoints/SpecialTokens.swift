/// The ids with a meaning of their own, as `config.json` names them; nil where a model has none.
public struct SpecialTokens: Codable, Hashable, Sendable {
  /// Fills a document's last chunk.
  public var padding: Int?
  /// Starts a document, where the data have such a token.
  public var beginning: Int?
  /// Ends a document.
  public var end: Int?
  /// Further ids that end a text, such as the end of a turn in a model for conversations.
  public var furtherEnds: [Int] = []
  /// Every id that ends a text.
  public var ends: [Int] { (end.map { [$0] } ?? []) + furtherEnds }

  /// No special tokens unless given.
  public init(padding: Int? = nil, beginning: Int? = nil, end: Int? = nil) {
    (self.padding, self.beginning, self.end) = (padding, beginning, end)
  }

  /// Writes null for what a model has not: the official code takes a missing key for an id of its own.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(padding, forKey: .padding)
    try values.encode(beginning, forKey: .beginning)
    if furtherEnds.isEmpty { try values.encode(end, forKey: .end) } else { try values.encode(ends, forKey: .end) }
  }

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case padding = "pad_token_id"
    case beginning = "bos_token_id"
    case end = "eos_token_id"
  }

  /// The keys of `config.json` that `init(from:)` reads.
  static let keyNames = CodingKeys.allCases.map(\.rawValue)

  /// Reads the official keys. The official defaults hold where one is missing; null means that there is no such token.
  /// `eos_token_id` is an id or a list of them, of which the first ends a document.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    padding = try values.decodeIfPresent(Int.self, forKey: .padding)
    beginning = try values.contains(.beginning) ? values.decodeIfPresent(Int.self, forKey: .beginning) : 1
    if let list = try? values.decode([Int].self, forKey: .end) {
      end = list.first
      furtherEnds = Array(list.dropFirst())
    } else {
      end = try values.contains(.end) ? values.decodeIfPresent(Int.self, forKey: .end) : 2
    }
  }

  /// Refuses ids outside the vocabulary.
  func check(vocabularySize: Int, _ decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let ids = [(CodingKeys.padding, padding), (.beginning, beginning)] + ends.map { (.end, $0) }
    for (key, id) in ids {
      if let id, !(0..<vocabularySize).contains(id) {
        throw values.corrupted(key, "'\(key.stringValue)' is \(id), outside the vocabulary of \(vocabularySize)")
      }
    }
  }
}

/// The ids of special tokens, with their keys in `config.json`; nil if a model has no such token.
public struct SpecialTokens: Codable, Hashable, Sendable {
  /// Fills a document's last chunk.
  public var padding: Int?
  /// Starts a document.
  public var beginning: Int?
  /// Ends a document.
  public var end: Int?
  /// Further ids that end a text, such as the end of turn of a chat model.
  public var furtherEnds: [Int] = []
  /// Every id that ends a text.
  public var ends: [Int] { (end.map { [$0] } ?? []) + furtherEnds }

  /// Creates a set of special tokens, by default empty.
  public init(padding: Int? = nil, beginning: Int? = nil, end: Int? = nil) {
    (self.padding, self.beginning, self.end) = (padding, beginning, end)
  }

  /// Encodes a missing token as null: the official code replaces a missing key by a default id.
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

  /// Decodes the official keys. A missing key has the official default; null means that there is no such token.
  /// `eos_token_id` is an id or a list of ids; the first one ends a document.
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

  /// Throws for an id outside the vocabulary.
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

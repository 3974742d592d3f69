/// One of N parts into which a corpus is divided.
public struct CorpusPart: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The number of the part, from 1 to ``count``.
  public let number: Int
  /// The number of parts, N.
  public let count: Int

  /// The largest number of parts.
  public static let maximumCount = 100_000

  /// A part; nil unless 1 ≤ number ≤ count ≤ ``maximumCount``.
  public init?(_ number: Int, of count: Int) {
    guard (1...Self.maximumCount).contains(count), (1...count).contains(number) else { return nil }
    (self.number, self.count) = (number, count)
  }

  /// A part written as `2/5`; nil for other text.
  public init?(_ text: String) {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let number = numbers[0], let count = numbers[1] else { return nil }
    self.init(number, of: count)
  }

  /// `part 2 of 5`.
  public var description: String { "part \(number) of \(count)" }
}

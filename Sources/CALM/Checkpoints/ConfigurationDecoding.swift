import Foundation

// What the configurations share in reading `config.json`: values in range, and settings that are refused by name
// because leaving them out would change the numbers.

extension KeyedDecodingContainer {
  /// A whole number above zero.
  func positive(_ key: Key) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard (1...1_000_000_000).contains(value) else {
      throw corrupted(key, "'\(key.stringValue)' must be a whole number above 0, not \(value)")
    }
    return value
  }

  /// A number from 0 up to, not including, 1.
  func probability(_ key: Key) throws -> Double? {
    guard let value = try decodeIfPresent(Double.self, forKey: key) else { return nil }
    guard value >= 0, value < 1 else {
      throw corrupted(key, "'\(key.stringValue)' must be at least 0 and below 1, not \(value)")
    }
    return value
  }

  /// Refuses any value but the one this package computes with.
  func refuse<Value: Decodable & Equatable>(unless key: Key, is only: Value) throws {
    if let value = try decodeIfPresent(Value.self, forKey: key), value != only {
      throw corrupted(key, "'\(key.stringValue)' is \(value); only \(only) is supported")
    }
  }

  /// An error that says what is wrong with a key.
  func corrupted(_ key: Key, _ message: String) -> DecodingError {
    DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: message)
  }
}

extension DecodingError {
  /// What is wrong, in one line and in the file's own terms.
  var summary: String {
    switch self {
    case .dataCorrupted(let context):
      return context.debugDescription
    case .keyNotFound(let key, _):
      return "'\(key.stringValue)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has the wrong type"
    @unknown default:
      return "it cannot be read"
    }
  }
}

import Foundation
import Torch

// Shared helpers to decode `config.json`: values in range, and errors that name unsupported settings, because ignoring
// them would change the results.

/// The largest supported vocabulary. Together with the bounds of the other sizes, it prevents overflow in the counts of
/// parameters and operations.
let greatestVocabulary = 1 << 24

extension KeyedDecodingContainer {
  /// A whole number above zero.
  func positive(_ key: Key, upTo greatest: Int = 1 << 16) throws -> Int? {
    guard let value = try decodeIfPresent(Int.self, forKey: key) else { return nil }
    guard (1...greatest).contains(value) else {
      throw corrupted(key, "'\(key.stringValue)' must be a whole number from 1 to \(greatest), not \(value)")
    }
    return value
  }

  /// An activation by its official name.
  func activation(_ key: Key) throws -> Activation? {
    guard let name = try decodeIfPresent(String.self, forKey: key) else { return nil }
    guard let activation = Activation(rawValue: name) else {
      let known = Activation.allCases.map(\.rawValue).joined(separator: ", ")
      throw corrupted(key, "'\(key.stringValue)' is '\(name)', which is not supported; supported are \(known)")
    }
    return activation
  }

  /// A number in [0, 1).
  func probability(_ key: Key) throws -> Double? {
    guard let value = try decodeIfPresent(Double.self, forKey: key) else { return nil }
    guard value >= 0, value < 1 else {
      throw corrupted(key, "'\(key.stringValue)' must be at least 0 and below 1, not \(value)")
    }
    return value
  }

  /// Throws if the value differs from the only supported one.
  func refuse<Value: Decodable & Equatable>(unless key: Key, is only: Value) throws {
    if let value = try decodeIfPresent(Value.self, forKey: key), value != only {
      throw corrupted(key, "'\(key.stringValue)' is \(value); only \(only) is supported")
    }
  }

  /// An error for the value of a key.
  func corrupted(_ key: Key, _ message: String) -> DecodingError {
    DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: message)
  }
}

extension DecodingError {
  /// A description in one line, in the terms of the file.
  var summary: String {
    switch self {
    case .dataCorrupted(let context):
      return context.debugDescription
    case .keyNotFound(let key, _):
      return "'\(key.stringValue)' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return path.isEmpty ? "not a JSON object" : "'\(path)' has the wrong type"
    @unknown default:
      return "cannot be read"
    }
  }
}

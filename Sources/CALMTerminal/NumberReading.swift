import ArgumentParser

// Readers of numbers within bounds, for the declaration of an option. ArgumentParser names the option in the error.

/// Parses a whole number from `minimum` to `maximum`.
package func whole(from minimum: Int, to maximum: Int = .max) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text) else { throw ValidationError("it must be a whole number") }
    guard (minimum...maximum).contains(value) else {
      throw ValidationError("it must be \(maximum == .max ? "\(minimum) or more" : "from \(minimum) to \(maximum)")")
    }
    return value
  }
}

/// Parses a nonnegative number.
@Sendable package func amount(_ text: String) throws -> Double {
  guard let value = Double(text), value.isFinite, value >= 0 else {
    throw ValidationError("it must be a non-negative number")
  }
  return value
}

/// Parses a number above 0.
@Sendable package func positiveAmount(_ text: String) throws -> Double {
  guard let value = Double(text), value.isFinite, value > 0 else {
    throw ValidationError("it must be a number above 0")
  }
  return value
}

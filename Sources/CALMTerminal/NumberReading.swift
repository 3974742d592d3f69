import ArgumentParser

// Readers of numbers that know their bounds, for the place where an option is declared: what is out of bounds is told
// with the option's name, on the command line as in a settings file.

/// Reads a whole number from `minimum` to `maximum`.
package func whole(from minimum: Int, to maximum: Int = .max) -> @Sendable (String) throws -> Int {
  { text in
    guard let value = Int(text) else { throw ValidationError("it must be a whole number") }
    guard (minimum...maximum).contains(value) else {
      throw ValidationError("it must be \(maximum == .max ? "\(minimum) or more" : "from \(minimum) to \(maximum)")")
    }
    return value
  }
}

/// Reads a number of a range that is told in words: "at least 0 and below 1".
package func number(_ words: String, where fits: @escaping @Sendable (Double) -> Bool)
  -> @Sendable (String) throws -> Double
{
  { text in
    guard let value = Double(text), value.isFinite, fits(value) else {
      throw ValidationError("it must be a number \(words)")
    }
    return value
  }
}

/// Reads a number that is not negative.
package let amount = number("that is not negative") { $0 >= 0 }

/// Reads a number at least 0 and below 1.
package let probability = number("at least 0 and below 1") { (0..<1).contains($0) }

/// Reads a time: `90` and `90s` are seconds, `30m` minutes, `8h` hours, `2d` days, `1h30m` their sum.
@Sendable package func duration(_ text: String) throws -> Double {
  let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
  var (seconds, digits) = (0.0, "")
  for character in text + (text.last?.isLetter == true ? "" : "s") {
    if character.isNumber || character == "." {
      digits.append(character)
    } else if let unit = units[character], let value = Double(digits) {
      (seconds, digits) = (seconds + value * unit, "")
    } else {
      throw ValidationError("it must be a time such as 90s, 30m, 8h or 1h30m")
    }
  }
  guard seconds > 0 else { throw ValidationError("it must be a time above 0") }
  return seconds
}

extension Option where Value == Int? {
  /// A whole number of at least `minimum`, which help calls `n`.
  package init(name: NameSpecification = .long, count help: String, from minimum: Int = 1) {
    self.init(name: name, help: ArgumentHelp(help, valueName: "n"), transform: whole(from: minimum))
  }
}

extension Option where Value == Int {
  /// The same with a value where nothing is given.
  package init(wrappedValue: Int, name: NameSpecification = .long, count help: String, from minimum: Int = 1) {
    self.init(
      wrappedValue: wrappedValue, name: name, help: ArgumentHelp(help, valueName: "n"), transform: whole(from: minimum))
  }
}

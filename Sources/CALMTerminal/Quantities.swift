import Foundation

// Numbers formatted for people.

/// `950`, `12.3 k`, `371.7 M`, `1.82 B`: a count with three or four significant digits.
package func shortCount(_ count: Int) -> String {
  let value = Double(count)
  return switch abs(value) {
  case ..<1e4: String(count)
  case ..<1e6: String(format: "%.1f k", value / 1e3)
  case ..<1e9: String(format: "%.1f M", value / 1e6)
  case ..<1e12: String(format: "%.2f B", value / 1e9)
  default: String(format: "%.2f T", value / 1e12)
  }
}

/// `512 bytes`, `1.5 MB`: decimal units.
package func shortBytes(_ bytes: Int) -> String {
  let value = Double(bytes)
  return switch value {
  case ..<1e3: "\(bytes) bytes"
  case ..<1e6: String(format: "%.1f kB", value / 1e3)
  case ..<1e9: String(format: "%.1f MB", value / 1e6)
  default: String(format: "%.2f GB", value / 1e9)
  }
}

/// `2.90e8`, `0`: three significant digits and a power of ten.
package func scientific(_ value: Double) -> String {
  guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
  let parts = String(format: "%.2e", value).split(separator: "e")
  guard parts.count == 2, let exponent = Int(parts[1]) else { return "\(value)" }
  return "\(parts[0])e\(exponent)"
}

/// `1 document`, `1,234 documents`.
package func counted(_ count: Int, _ noun: String) -> String {
  "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")"
}

/// `1,234,567`.
package func grouped(_ count: Int) -> String {
  var digits = Array(String(count.magnitude))
  for place in stride(from: digits.count - 3, to: 0, by: -3) { digits.insert(",", at: place) }
  return (count < 0 ? "-" : "") + String(digits)
}

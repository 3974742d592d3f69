import Foundation

/// The scaling of the rotary embedding for contexts longer than those of training: `rope_scaling` in a configuration,
/// or part of its `rope_parameters`.
public enum RopeScaling: Codable, Hashable, Sendable {
  /// No scaling: the default.
  case none
  /// Positions are divided by a factor.
  case linear(factor: Double)
  /// The scaling of Llama 3.1: frequencies with fewer than `low` turns in the original context are divided by the
  /// factor, those with more than `high` turns are unchanged, and those between are interpolated.
  case llama3(factor: Double, low: Double, high: Double, originalPositions: Int)

  private enum CodingKeys: String, CodingKey, CaseIterable {
    case type, factor
    /// The name of the type in newer versions of transformers.
    case ropeType = "rope_type"
    case low = "low_freq_factor"
    case high = "high_freq_factor"
    case originalPositions = "original_max_position_embeddings"
  }

  /// The keys of `config.json` that `init(from:)` reads.
  static let keyNames = CodingKeys.allCases.map(\.rawValue)

  /// Decodes Hugging Face's keys, with the type under its older or its newer name.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let name = decoder.codingPath.last?.stringValue ?? "rope_scaling"
    let kind =
      try values.decodeIfPresent(String.self, forKey: .ropeType)
      ?? values.decodeIfPresent(String.self, forKey: .type) ?? (name == "rope_parameters" ? "default" : "")
    guard ["default", "linear", "llama3"].contains(kind) else {
      throw values.corrupted(.type, "'\(name)' of type '\(kind)' is not supported; supported are 'linear' and 'llama3'")
    }
    if kind == "default" {
      self = .none
      return
    }
    let factor = try values.decodeIfPresent(Double.self, forKey: .factor) ?? 0
    guard factor >= 1 else {
      throw values.corrupted(.factor, "the factor of '\(name)' must be a number of at least 1")
    }
    if kind == "linear" {
      self = .linear(factor: factor)
      return
    }
    let low = try values.decodeIfPresent(Double.self, forKey: .low) ?? 0
    let high = try values.decodeIfPresent(Double.self, forKey: .high) ?? 0
    let positions = try values.decodeIfPresent(Int.self, forKey: .originalPositions) ?? 0
    guard 0 < low, low < high, positions > 0 else {
      throw values.corrupted(
        .low,
        "'\(name)' of the type 'llama3' needs 'low_freq_factor' below 'high_freq_factor' and "
          + "'original_max_position_embeddings'")
    }
    self = .llama3(factor: factor, low: low, high: high, originalPositions: positions)
  }

  /// Encodes the keys that `init(from:)` decodes, with the type under both names.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    func begin(_ kind: String) throws {
      try values.encode(kind, forKey: .type)
      try values.encode(kind, forKey: .ropeType)
    }
    switch self {
    case .none: try begin("default")
    case .linear(let factor):
      try begin("linear")
      try values.encode(factor, forKey: .factor)
    case .llama3(let factor, let low, let high, let positions):
      try begin("llama3")
      try values.encode(factor, forKey: .factor)
      try values.encode(low, forKey: .low)
      try values.encode(high, forKey: .high)
      try values.encode(positions, forKey: .originalPositions)
    }
  }

  /// The scaled value of a frequency, in radians per position.
  func callAsFunction(_ frequency: Float) -> Float {
    switch self {
    case .none: return frequency
    case .linear(let factor): return frequency / Float(factor)
    case .llama3(let factor, let low, let high, let positions):
      let turns = Float(positions) * frequency / (2 * .pi)
      if turns < Float(low) { return frequency / Float(factor) }
      if turns > Float(high) { return frequency }
      let share = (turns - Float(low)) / Float(high - low)
      return (1 - share) * frequency / Float(factor) + share * frequency
    }
  }
}

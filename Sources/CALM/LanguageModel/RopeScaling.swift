/// `rope_scaling`, of which the linear kind is computed here.
struct RopeScaling: Codable {
  var type: String?
  /// The name in newer versions of transformers.
  var ropeType: String?
  var factor: Double?

  enum CodingKeys: String, CodingKey {
    case type, factor
    case ropeType = "rope_type"
  }

  /// The linear kind.
  init(stretch: Double) { (type, factor) = ("linear", stretch) }

  /// What positions are divided by; 1 where nothing is set.
  static func stretch<Key>(in values: KeyedDecodingContainer<Key>, _ key: Key) throws -> Double {
    guard let scaling = try values.decodeIfPresent(RopeScaling.self, forKey: key) else { return 1 }
    let kind = scaling.ropeType ?? scaling.type ?? ""
    if kind == "default" { return 1 }
    guard kind == "linear" else {
      throw values.corrupted(key, "'\(key.stringValue)' of the type '\(kind)' is not supported; 'linear' is")
    }
    guard let factor = scaling.factor, factor >= 1 else {
      throw values.corrupted(key, "the factor of '\(key.stringValue)' must be a number of at least 1")
    }
    return factor
  }
}

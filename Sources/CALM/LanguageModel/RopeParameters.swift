/// The settings of the rotary embedding as one object of `config.json`: `rope_parameters` of transformers 5, or
/// `rope_scaling` of earlier versions, which store the base separately as `rope_theta`.
struct RopeParameters: Decodable {
  /// The base of the wavelengths; nil if the object does not contain it.
  let theta: Double?
  /// The scaling of the frequencies.
  let scaling: RopeScaling

  private enum Keys: String, CodingKey {
    case theta = "rope_theta"
    case rotaryShare = "partial_rotary_factor"
  }

  init(from decoder: any Decoder) throws {
    let name = decoder.codingPath.last?.stringValue ?? "rope_scaling"
    let members = try decoder.container(keyedBy: AnyKey.self)
    let known = RopeScaling.keyNames + [Keys.theta.rawValue, Keys.rotaryShare.rawValue]
    for key in members.allKeys.sorted(by: { $0.stringValue < $1.stringValue })
    where try !known.contains(key.stringValue) && !members.decodeNil(forKey: key) {
      let member = key.stringValue.prefix(80)
      if (try? members.nestedContainer(keyedBy: AnyKey.self, forKey: key)) != nil {
        throw members.corrupted(
          key,
          "'\(name)' has separate settings for '\(member)' layers; only common settings for all layers are supported")
      }
      throw members.corrupted(key, "'\(member)' in '\(name)' is not supported")
    }
    let values = try decoder.container(keyedBy: Keys.self)
    try values.refuse(unless: .rotaryShare, is: 1.0)
    theta = try values.decodeIfPresent(Double.self, forKey: .theta)
    scaling = try RopeScaling(from: decoder)
  }
}

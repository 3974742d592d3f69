import CALM

extension TransformerShape: SettingsTable {
  /// Creates a small shape, the default.
  public init() { self.init(hiddenSize: 256, layers: 6, attentionHeads: 8) }

  /// The settings of a Transformer.
  public static let groups: [SettingGroup<TransformerShape>] = [
    SettingGroup(
      "Transformer",
      [
        Setting("hidden_size", \.hiddenSize, .count, "Width of the Transformer and of the head.").ofModelSize,
        Setting(
          "intermediate_size", \.intermediateSize, .count, "Inner width of each layer.",
          default: "8/3 × hidden_size, rounded up to a multiple of 64"
        ).ofModelSize,
        Setting("layers", \.layers, .count, "Number of Transformer layers.").ofModelSize,
        Setting(
          "heads", \.attentionHeads, .count, "Attention heads.",
          default: "hidden_size / 32, or / 64 from a hidden_size of 512"
        ).ofModelSize,
        Setting("key_value_heads", \.keyValueHeads, .count, "Key and value heads.", default: "heads").ofModelSize,
        Setting(
          "document_masking", \.documentMasking, .flag,
          "Limit attention to the current document if a sequence contains several; not in the paper."
        ).ofModelSize,
      ])
  ]

  /// Derives the sizes that depend on the width and were not given.
  ///
  /// - Parameter base: the shape before the given settings were applied.
  mutating func derive(from base: TransformerShape, _ given: GivenSettings) {
    if hiddenSize != base.hiddenSize {
      let usual = TransformerShape(
        hiddenSize: hiddenSize, layers: layers, attentionHeads: max(1, hiddenSize / (hiddenSize >= 512 ? 64 : 32)))
      if !given.has("intermediate_size") { intermediateSize = usual.intermediateSize }
      if !given.has("heads") { attentionHeads = usual.attentionHeads }
    }
    if !given.has("key_value_heads") { keyValueHeads = attentionHeads }
  }

  /// Attention head counts that do not divide evenly.
  func faults(_ given: GivenSettings) -> [String] {
    var faults: [String] = []
    let heads = "\(given.title(of: "heads")) \(attentionHeads)"
    if hiddenSize % attentionHeads != 0 || hiddenSize / attentionHeads % 2 != 0 {
      faults.append("\(heads) does not divide \(given.title(of: "hidden_size")) \(hiddenSize) into even parts")
    }
    if attentionHeads % keyValueHeads != 0 {
      faults.append("\(given.title(of: "key_value_heads")) \(keyValueHeads) does not divide \(heads)")
    }
    return faults
  }

  /// The setting for a preset, limited to the presets that have a model of the kind that `model` returns.
  static func presetSetting<Root, Model>(
    _ path: WritableKeyPath<Root, Preset?> & Sendable, as model: (Preset) -> Model?
  ) -> Setting<Root> {
    Setting(
      "preset", path, .choice(Preset.allCases.filter { model($0) != nil }.map(\.rawValue)),
      "Sizes by name; 'calm info' lists them. Other settings override them."
    ).ofModelSize
  }

  /// The sizes of a preset.
  init(ofPreset shape: TransformerShape) {
    self.init(
      hiddenSize: shape.hiddenSize, intermediateSize: shape.intermediateSize, layers: shape.layers,
      attentionHeads: shape.attentionHeads)
  }
}

extension Preset: SettingConvertible {}

import ArgumentParser
import CALM
import CALMTerminal

/// The sizes of a Transformer under training.
struct TransformerOptions: ParsableArguments {
  @Option(help: "Sizes of the paper by name; 'calm info' lists them. What else is said goes before it.")
  var preset: Preset?

  @Option(count: "The width of the Transformer (and of the head, where there is one).")
  var hidden: Int?

  @Option(count: "The inner width of each layer; by default 8/3 times --hidden.")
  var intermediate: Int?

  @Option(count: "Layers of the Transformer.")
  var layers: Int?

  @Option(count: "Attention heads; by default one for each 32 or 64 of --hidden.")
  var heads: Int?

  @Option(count: "Key and value heads; by default as many as --heads.")
  var keyValueHeads: Int?

  @Flag(
    inversion: .prefixedNo,
    help: ArgumentHelp(
      "Keep attention within a document where several are packed into one block, beyond the paper; by default not."))
  var separateDocuments: Bool?

  /// The sizes that were given, each beside that of a model to begin with.
  func beside(_ model: TransformerShape) -> [(name: String, given: Int?, model: Int)] {
    [
      ("--hidden", hidden, model.hiddenSize), ("--intermediate", intermediate, model.intermediateSize),
      ("--layers", layers, model.layers), ("--heads", heads, model.attentionHeads),
      ("--key-value-heads", keyValueHeads, model.keyValueHeads),
    ]
  }

  /// The model of the preset, where one was named.
  ///
  /// - Parameter kind: what a preset is as a model of the kind that is trained; nil where it is another.
  /// - Throws: a usage error where it is another, or where a model to begin with has its own sizes.
  func preset<Model>(as kind: (Preset) -> Model?, beginsWith model: String?) throws -> Model? {
    guard let preset else { return nil }
    guard model == nil else {
      throw ValidationError("--preset does not go with --init-from, which takes over the sizes of its model")
    }
    guard let found = kind(preset) else {
      let names = Preset.allCases.filter { kind($0) != nil }.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--preset must be one of \(names), not \(preset.rawValue)")
    }
    return found
  }

  /// The sizes asked for.
  ///
  /// - Parameter usual: what is taken where nothing was said; nil for a small model.
  /// - Throws: a usage error where they do not go together.
  func shape(usual: TransformerShape?) throws
    -> TransformerShape
  {
    let usual = usual ?? TransformerShape(hiddenSize: 256, layers: 6, attentionHeads: 8)
    let width = hidden ?? usual.hiddenSize
    let isUsual = width == usual.hiddenSize
    let heads = heads ?? (isUsual ? usual.attentionHeads : max(1, width / (width >= 512 ? 64 : 32)))
    var problems: [String] = []
    if width % heads != 0 || width / heads % 2 != 0 {
      problems.append("--heads \(heads) does not cut --hidden \(width) into even parts")
    }
    if let keyValueHeads, heads % keyValueHeads != 0 {
      problems.append("--key-value-heads \(keyValueHeads) does not divide --heads \(heads)")
    }
    try refuse(problems)
    var shape = TransformerShape(
      hiddenSize: width, intermediateSize: intermediate ?? (isUsual ? usual.intermediateSize : nil),
      layers: layers ?? usual.layers, attentionHeads: heads, keyValueHeads: keyValueHeads)
    shape.separatesDocuments = separateDocuments ?? false
    return shape
  }
}

import CALM
import CALMSupport
import CALMTraining
import Foundation
import Testing

@Suite("Settings")
struct SettingsTests {
  /// The settings given by a command line.
  private func given<Root: RunSettings>(_ line: String, _ type: Root.Type) -> GivenSettings {
    GivenSettings(arguments: line.split(separator: " ").map(String.init), of: Root.declarations)
  }

  private func resolved<Root: RunSettings>(_ line: String, _ type: Root.Type) throws -> Root {
    let (settings, faults) = Root.resolve(given(line, type), over: try Root.base(for: given(line, type)))
    #expect(faults.isEmpty, "\(faults)")
    return settings
  }

  private func faults<Root: RunSettings>(_ line: String, _ type: Root.Type) throws -> [String] {
    Root.resolve(given(line, type), over: try Root.base(for: given(line, type))).faults
  }

  /// The settings written to a file and read again.
  private func reread<Root: RunSettings>(_ settings: Root) throws -> Root {
    let json = try JSONParser.parse(Array(settings.json.text.utf8))
    let given = GivenSettings(members: try #require(json.object), of: Root.declarations)
    let (again, faults) = Root.resolve(given, over: Root())
    #expect(faults.isEmpty, "\(faults)")
    return again
  }

  private func expectFixedPoint<Root: RunSettings>(_ settings: Root) throws {
    let again = try reread(settings)
    #expect(again.values.map(\.name) == settings.values.map(\.name))
    #expect(again.values.map(\.value) == settings.values.map(\.value))
    #expect(again.model == settings.model && again.training == settings.training)
  }

  @Test(
    "Resolved settings read as a file resolve to the same settings",
    arguments: [
      "", "--steps 300 --hidden-size 96 --max-time 1h30m", "--max-tokens 5000 --best-metric none",
      "--data a:2 --data b --data c:3", "--schedule cosine --ema-decay 0.99 --sequence-length 64",
    ])
  func fixedPoint(line: String) throws {
    try expectFixedPoint(try resolved(line, AutoencoderSettings.self))
    try expectFixedPoint(try resolved(line, LanguageModelSettings.self))
    try expectFixedPoint(try resolved(line, TransformerSettings.self))
  }

  @Test("Settings that apply only to one choice are read again with that choice")
  func fixedPointOfChoices() throws {
    try expectFixedPoint(try resolved("--no-variational --latent-dropout 0.1", AutoencoderSettings.self))
    for head in HeadKind.allCases {
      try expectFixedPoint(
        try resolved("--head \(head) --preset calm-l --document-masking --layers 2", LanguageModelSettings.self))
    }
    try expectFixedPoint(try resolved("--head diffusion --latent-bound 0", LanguageModelSettings.self))
    try expectFixedPoint(try resolved("--preset transformer-l --tie-embeddings", TransformerSettings.self))
  }

  @Test("Every name is snake_case, declared once, and has a help sentence")
  func declarations() {
    func check<Root: RunSettings>(_ type: Root.Type) {
      let names = Root.declarations.map(\.name)
      #expect(Set(names).count == names.count)
      for declaration in Root.declarations {
        #expect(declaration.name.allSatisfy { $0.isLowercase || $0 == "_" })
        #expect(declaration.help.hasSuffix("."))
      }
    }
    for kind in ModelKind.allCases { check(kind.settings) }
  }

  @Test("Defaults are within the ranges of their settings, and every setting writes the value that it reads")
  func defaults() throws {
    func check<Root: RunSettings>(_ type: Root.Type) {
      for setting in Root.settings {
        guard let value = setting.get(Root()) else { continue }
        #expect(setting.declaration.type.value(of: value.json) == value, "\(setting.declaration.name)")
      }
    }
    for kind in ModelKind.allCases { check(kind.settings) }
  }

  @Test("Sizes that are not given are derived from the width, a preset and the chunk size")
  func derivedSizes() throws {
    let wide = try resolved("--hidden-size 512 --steps 200", TransformerSettings.self)
    #expect(wide.model.transformer.attentionHeads == 8 && wide.model.transformer.intermediateSize == 1408)
    #expect(wide.training.schedule.warmupSteps == 20 && wide.training.evaluationInterval == 20)
    #expect(wide.training.checkpointInterval == 40)
    let preset = try resolved("--preset calm-l --layers 3", LanguageModelSettings.self).model
    #expect((preset.hiddenSize, preset.attentionHeads, preset.layers) == (1536, 16, 3))
    #expect(preset.headBlocks == 4)
    let plain = try resolved("--no-variational --chunk-size 3", AutoencoderSettings.self)
    #expect(plain.model.tokenMasking == 0 && plain.model.latentDropout == 0)
    #expect(plain.training.sequenceLength == 255)
    let byTokens = try resolved("--max-tokens 100000 --batch-size 1 --sequence-length 10", TransformerSettings.self)
    #expect(byTokens.training.steps == 10_000)
  }

  @Test("The auxiliary token loss has a weight of 1, but of 0 with the tokens head")
  func auxiliaryWeight() throws {
    func weight(_ line: String) throws -> Double {
      try resolved(line, LanguageModelSettings.self).model.auxiliaryLossWeight
    }
    #expect(try weight("") == 1 && weight("--head posterior") == 1)
    #expect(try weight("--head tokens") == 0 && weight("--head tokens --aux-weight 0.5") == 0.5)
  }

  @Test(
    "All errors of a command line are reported at once, with the nearest names",
    arguments: [
      ("--hiden-size 9", "'--hiden-size' is not an option of this command; did you mean '--hidden-size'?"),
      ("--no-tie-embedings", "did you mean '--no-tie-embeddings'?"),
      ("--learning-rate 99", "--learning-rate must be a number above 0 and below 10, not '99'"),
      ("--learning-rate nan", "--learning-rate must be"), ("--layers 0", "--layers must be a whole number, 1 or more"),
      ("--steps -5", "--steps must be a whole number, 1 or more, not '-5'"),
      ("stray", "'stray' does not belong to an option"),
      ("--tie-embeddings=yes", "'--tie-embeddings' takes no value"), ("--layers", "'--layers' needs a value"),
      ("--data a:-1", "weights above 0"), ("--max-time soon", "--max-time must be a time above 0"),
      ("--best-metric beauty", "one of cross_entropy, perplexity, brier_lm, none"),
      ("--preset calm-m", "--preset must be one of transformer-s"),
      ("--hidden-size 30 --heads 4", "--heads 4 does not divide --hidden-size 30"),
      ("--heads 8 --key-value-heads 3", "--key-value-heads 3 does not divide --heads 8"),
      ("--batch-size 6 --gradient-gradientAccumulation 4", "--batch-size 6 cannot be split into the 4 parts"),
      ("--steps 9 --warmup-steps 9", "--warmup-steps 9 covers all 9 steps"),
      ("--schedule cosine --decay-fraction 0.3", "--decay-fraction has no effect with --schedule cosine"),
    ])
  func faultsOfCommandLines(line: String, expected: String) throws {
    let faults = try faults(line + " --sceed 7", TransformerSettings.self)
    #expect(faults.contains { $0.contains(expected) }, "\(faults)")
    #expect(faults.contains { $0.contains("did you mean '--seed'?") }, "\(faults)")
  }

  @Test("Settings of a different head, and of a distribution in a deterministic model, have no effect and are refused")
  func settingsWithoutEffect() throws {
    #expect(
      try faults("--head flow --noise-size 8 --latent-bound 8", LanguageModelSettings.self) == [
        "--noise-size, --latent-bound have no effect with --head flow; leave them out"
      ])
    #expect(
      try faults("--kl-clamp 1 --no-variational", AutoencoderSettings.self) == [
        "--kl-clamp has no effect with --no-variational; leave it out"
      ])
    #expect(
      try faults("--aux-warmup-steps 5 --aux-weight 0", LanguageModelSettings.self) == [
        "--aux-warmup-steps needs an --aux-weight above 0"
      ])
  }

  @Test("Errors of a file name its keys, and a command line overrides the file")
  func files() throws {
    let json = try JSONParser.parse(
      Array(#"{"stepps": 3, "layers": true, "keep_checkpoints": [1, 2], "seed": 7, "max_time": 90, "x": 1}"#.utf8))
    let file = GivenSettings(members: try #require(json.object), of: TransformerSettings.declarations)
    #expect(file.faults.count == 4, "\(file.faults)")
    #expect(file.faults[0] == "'stepps' is not a setting of this command; did you mean 'steps'?")
    #expect(file.faults[1] == "'layers' must be a whole number, 1 or more, not true")
    let both = given("--seed 8", TransformerSettings.self).over(file, faultsIn: "run.yaml")
    #expect(both["seed"] == .integer(8) && both["max_time"] == .number(90))
    #expect(both.faults == ["run.yaml: " + file.faults.joined(separator: "; ")])
    #expect(both.title(of: "seed") == "--seed" && both.title(of: "max_time") == "'max_time'")
  }

  @Test("Only the limits and threads of a resumed run can change")
  func resumed() {
    let settings = GivenSettings(
      arguments: ["--steps", "9", "--hidden-size", "none", "--no-tie-embeddings", "--threads", "2"],
      of: TransformerSettings.declarations, isResumed: true)
    #expect(settings.names == ["steps", "threads"])
    #expect(
      settings.faults == [
        "--hidden-size, --no-tie-embeddings cannot be changed when a run is resumed; "
          + "only --threads, --steps, --max-tokens, --max-time can"
      ])
  }

  @Test("The help shows every setting with its default within the width of a terminal")
  func help() {
    let help = LanguageModelSettings.help()
    for declaration in LanguageModelSettings.declarations { #expect(help.contains("  \(declaration.option)")) }
    #expect(help.contains("--batch-size <n>        Sequences per step. (default: 16)\n"))
    #expect(
      LanguageModelSettings.help(width: 500).contains(
        "(values: energy, diffusion, flow, posterior, tokens; default: energy)\n"))
    #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }
}

@Suite("The document of settings")
struct SettingsDocumentTests {
  @Test("docs/settings.md equals the table of settings; CALM_WRITE_DOCS=1 writes it")
  func document() throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/settings.md")
    if ProcessInfo.processInfo.environment["CALM_WRITE_DOCS"] != nil {
      try Data(SettingsDocument.text.utf8).write(to: url)
    }
    #expect(try String(contentsOf: url, encoding: .utf8) == SettingsDocument.text)
  }
}

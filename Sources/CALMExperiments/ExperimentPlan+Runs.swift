import CALM
import CALMSupport
import CALMTraining
import Foundation

extension ExperimentPlan {
  /// What an entry may have besides the settings of its kind of model.
  private static let ownKeys: Set = ["name", "autoencoder"]

  /// The settings of an entry: all but those that the experiment determines for all its runs.
  private static func declarations<Settings: RunSettings>(of _: Settings.Type) -> [SettingDeclaration] {
    let shared = RunInputs.declarations.map(\.name) + ["autoencoder", "precision"]
    return Settings.declarations.filter { !shared.contains($0.name) }
  }

  /// The settings that a variant gives.
  ///
  /// - Throws: ``SettingsError`` with everything that is wrong with them.
  private static func resolve<Settings: RunSettings>(
    _ variant: SettingsGrid.Variant, seed: UInt64, over change: (inout Settings) -> Void = { _ in }
  ) throws -> Settings {
    let members = variant.members.filter { !ownKeys.contains($0.key) }
    let given = GivenSettings(members: members, of: declarations(of: Settings.self), in: "'\(Settings.kind.rawValue)'")
    var base = try Settings.base(for: given)
    base.training.seed = seed
    change(&base)
    let (settings, faults) = Settings.resolve(given, over: base)
    if !faults.isEmpty { throw SettingsError("'\(variant.place)': \(faults.joined(separator: "; "))") }
    return settings
  }

  /// A run of an entry of `autoencoders`.
  static func autoencoder(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    let settings: AutoencoderSettings = try resolve(variant, seed: seed)
    return Run(name: try variant.text("name") + variant.label, settings: settings, autoencoder: nil)
  }

  /// A run of an entry of `models` without an autoencoder.
  static func transformer(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    var settings: TransformerSettings = try resolve(variant, seed: seed)
    // The context that FLOPs are counted at.
    settings.model.transformer.maximumPositions = settings.training.sequenceLength
    return Run(name: try variant.text("name") + variant.label, settings: settings, autoencoder: nil)
  }

  /// A run of an entry of `models` with a head that samples tokens.
  static func languageModel(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    var settings: LanguageModelSettings = try resolve(variant, seed: seed)
    guard !settings.model.head.usesAutoencoder else {
      throw SettingsError("'\(variant.place)' has the head '\(settings.model.head.rawValue)': name its 'autoencoder'")
    }
    settings.model.transformer.maximumPositions = settings.training.sequenceLength / settings.model.chunkSize
    return Run(name: try variant.text("name") + variant.label, settings: settings, autoencoder: nil)
  }

  /// A run of an entry of `models` on an autoencoder of the family that its name stands for.
  static func languageModel(
    _ variant: SettingsGrid.Variant, on autoencoder: Run, of family: String, seed: UInt64
  ) throws -> Run {
    guard let sizes = autoencoder.settings.model as? AutoencoderConfiguration else {
      throw SettingsError("'\(family)' is not an autoencoder")
    }
    var settings: LanguageModelSettings = try resolve(variant, seed: seed) { $0.adopt(sizes) }
    settings.model.transformer.maximumPositions = settings.training.sequenceLength / sizes.chunkSize
    return Run(
      name: try variant.text("name") + autoencoder.name.dropFirst(family.count) + variant.label,
      settings: settings, autoencoder: autoencoder.name)
  }
}

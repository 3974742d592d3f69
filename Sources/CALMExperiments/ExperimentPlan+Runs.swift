import CALM
import CALMSupport
import CALMTraining
import Foundation

extension ExperimentPlan {
  /// The keys that an entry may have in addition to the settings of its model.
  private static let ownKeys: Set = ["name", "autoencoder", "teacher"]

  /// The settings that an entry may have: all but those that the experiment sets for all its runs.
  private static func declarations<Settings: RunSettings>(of _: Settings.Type) -> [SettingDeclaration] {
    let shared = RunInputs.declarations.map(\.name) + ["autoencoder", "precision", "distill_steps"]
    return Settings.declarations.filter { !shared.contains($0.name) }
  }

  /// The settings of a variant.
  ///
  /// - Throws: ``SettingsError`` that lists all errors in them.
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

  /// The run of an entry of `autoencoders`.
  static func autoencoder(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    let settings: AutoencoderSettings = try resolve(variant, seed: seed)
    return Run(name: try variant.text("name") + variant.label, settings: settings, origin: nil)
  }

  /// The run of an entry of `models` without an autoencoder.
  static func transformer(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    var settings: TransformerSettings = try resolve(variant, seed: seed)
    // The context length at which FLOPs are counted.
    settings.model.transformer.maximumPositions = settings.training.sequenceLength
    return Run(name: try variant.text("name") + variant.label, settings: settings, origin: nil)
  }

  /// The run of an entry of `models` whose head samples tokens.
  static func languageModel(_ variant: SettingsGrid.Variant, seed: UInt64) throws -> Run {
    var settings: LanguageModelSettings = try resolve(variant, seed: seed)
    guard !settings.model.head.usesAutoencoder else {
      throw SettingsError("'\(variant.place)' has the head '\(settings.model.head.rawValue)': name its 'autoencoder'")
    }
    settings.model.transformer.maximumPositions = settings.training.sequenceLength / settings.model.chunkSize
    return Run(name: try variant.text("name") + variant.label, settings: settings, origin: nil)
  }

  /// The run of an entry of `models` on one of the autoencoders that it names.
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
      settings: settings, origin: autoencoder.name)
  }

  /// The run of an entry of `models` that distills an earlier one.
  static func student(_ variant: SettingsGrid.Variant, of teacher: Run, seed: UInt64) throws -> Run {
    guard let sizes = teacher.settings.model as? LanguageModelConfiguration else {
      throw SettingsError("'\(variant.place)': the teacher '\(teacher.name)' is not a continuous language model")
    }
    if let fault = DistillationSettings.fault(of: sizes) {
      throw SettingsError("'\(variant.place)': the teacher '\(teacher.name)' \(fault)")
    }
    let settings: DistillationSettings = try resolve(variant, seed: seed) { $0.adopt(sizes) }
    return Run(name: try variant.text("name") + variant.label, settings: settings, origin: teacher.name)
  }
}

import CALM
import CALMSupport
import Foundation
import Torch

/// `run.json`: the complete configuration of a run, with which it can be understood, repeated and resumed.
///
/// ```json
/// {"kind": "lm", "settings": {"data": ["data"], "hidden_size": 256, …}, "model": {…},
///  "program": "calm 0.1.0", "libtorch": "2.13.0"}
/// ```
///
/// The keys of `settings` are the names of the options of `calm train`, whose `--config` reads them; `model` is the
/// model's `config.json`.
public struct RunRecord: Sendable {
  /// All settings, including those derived from others.
  public var settings: any RunSettings
  /// The name and version of the program.
  public let program: String
  /// The version of libtorch.
  public let libtorch: String

  /// Creates the record of a run on this machine with the current number of threads.
  public init(_ settings: any RunSettings, program: String) {
    (self.settings, self.program, libtorch) = (settings, program, Runtime.version)
    self.settings.inputs.threads = Runtime.threads
  }

  /// The kind of model.
  public var kind: ModelKind { type(of: settings).kind }

  /// The content of `run.json`.
  ///
  /// - Throws: an error of encoding the model's configuration.
  public func encoded() throws -> Data {
    let model = try settings.modelJSON()
    let members: [(String, JSONValue)] = [
      ("kind", .string(kind.rawValue)), ("settings", settings.json), ("model", model), ("program", .string(program)),
      ("libtorch", .string(libtorch)),
    ]
    return Data(JSONValue.object(members.map { .init(key: $0.0, value: $0.1) }).text.utf8)
  }

  /// Reads the content of `run.json`; nil if it is not a run record.
  public init?(decoding data: Data) {
    guard let content = try? JSONParser.parse(Array(data)), let program = content["program"]?.string,
      let libtorch = content["libtorch"]?.string, let kind = content["kind"]?.string.flatMap(ModelKind.init),
      let settings = Self.settings(of: content, kind.settings)
    else { return nil }
    (self.settings, self.program, self.libtorch) = (settings, program, libtorch)
  }

  private static func settings<Settings: RunSettings>(
    of content: JSONValue, _: Settings.Type
  ) -> Settings? {
    guard let members = content["settings"]?.object, let model = content["model"],
      let configuration = try? JSONDecoder().decode(Settings.Model.self, from: Data(model.text.utf8))
    else { return nil }
    let given = GivenSettings(members: members, of: Settings.declarations, checksRange: false)
    guard given.faults.isEmpty else { return nil }
    var settings = Settings()
    settings.model = configuration
    settings.apply(given)
    return settings
  }
}

extension RunSettings {
  /// The `config.json` of the model.
  fileprivate func modelJSON() throws -> JSONValue {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try JSONParser.parse(Array(encoder.encode(model)))
  }
}

import Torch

/// A generative head by name: `energy`, `diffusion` or `flow`.
public struct HeadKind: RawRepresentable, Hashable, Sendable, Codable, CaseIterable, CustomStringConvertible {
  /// The heads that there are. A new one is registered here, and nowhere else.
  private static var registered: [any GenerativeHead.Type] { [EnergyHead.self, DiffusionHead.self, FlowHead.self] }

  /// One step from noise to latent, trained by the energy score: the paper's head.
  public static let energy = HeadKind(EnergyHead.self)
  /// Denoising in 100 steps.
  public static let diffusion = HeadKind(DiffusionHead.self)
  /// A flow from noise to latent, solved in 10 steps of two evaluations each.
  public static let flow = HeadKind(FlowHead.self)

  /// Its name, as `model_type` and the command line have it.
  public let rawValue: String

  /// Nil where there is no head of that name.
  public init?(rawValue: String) {
    guard let type = Self.registered.first(where: { $0.name == rawValue }) else { return nil }
    self.init(type)
  }

  /// The head of official models of that class name; nil where there is none.
  init?(architecture: String) {
    guard let type = Self.registered.first(where: { $0.architecture == architecture }) else { return nil }
    self.init(type)
  }

  private init(_ type: any GenerativeHead.Type) { rawValue = type.name }

  /// All that are registered.
  public static var allCases: [HeadKind] { registered.map { HeadKind($0) } }

  /// The name in configurations and on the command line.
  public var description: String { rawValue }

  package var type: any GenerativeHead.Type {
    guard let type = Self.registered.first(where: { $0.name == rawValue }) else {
      preconditionFailure("the head '\(rawValue)' is not registered")
    }
    return type
  }

  /// The head whose weights a checkpoint holds; nil where it holds none that is known.
  static func inferred(from source: some TensorSource, sizes: LanguageModelConfiguration) -> HeadKind? {
    allCases.first { kind in
      let mark = kind.type.mark(of: sizes)
      return source.shape(of: mark.name) == mark.shape
    }
  }
}

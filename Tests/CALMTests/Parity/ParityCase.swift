import Foundation
import Testing

/// A folder of numbers recorded with the official code: a small model, its random numbers, and the results.
///
/// The `meta.json` and the configurations of a case define its content, not its name.
struct ParityCase: Sendable {
  /// The tolerance of a recorded tensor.
  struct Tolerance: Decodable, Sendable {
    /// The maximum difference of an element; nil if none is given or none is finite.
    let abs: Double?
    /// The same for each row, if rows differ greatly in magnitude.
    let absPerRow: [Double]?
    /// Whether only the exact recorded numbers are accepted.
    let exact: Bool?

    private enum CodingKeys: String, CodingKey {
      case abs, exact
      case absPerRow = "abs_per_row"
    }
  }

  /// The part of `meta.json` that the checks need.
  struct Description: Decodable, Sendable {
    let modelType: String?
    let kind: String?
    let inputs: [String]?
    /// The tensors that a reduced case omits: names, and prefixes of names that end in `*`.
    let notRecorded: [String]?
    let tolerance: [String: Tolerance]?
    let relativeTolerance: Double?
    let autoencoderGradientNorms: [String: Double]?
    let modelGradientNorms: [String: Double]?

    private enum CodingKeys: String, CodingKey {
      case modelType = "model_type"
      case kind, inputs, tolerance
      case notRecorded = "not_recorded"
      case relativeTolerance = "tolerance_relative"
      case autoencoderGradientNorms = "ae_grad_norms"
      case modelGradientNorms = "lm_grad_norms"
    }
  }

  let folder: URL
  let description: Description

  /// The kind of recorded model, for example `energy`.
  var modelType: String { description.modelType ?? description.kind ?? "a model without a type" }

  /// Nil if the folder is not a case.
  private init?(folder: URL) throws {
    self.folder = folder
    let files = ["meta.json", "expected.safetensors"].map { folder.appending(path: $0) }
    guard files.allSatisfy({ FileManager.default.fileExists(atPath: $0.path) }) else { return nil }
    description = try JSONDecoder().decode(Description.self, from: Data(contentsOf: files[0]))
  }

  /// The subfolders that contain a model.
  var modelFolders: [URL] {
    Self.subfolders(of: folder).filter {
      $0.lastPathComponent != "head" && FileManager.default.fileExists(atPath: $0.appending(path: "config.json").path)
    }
  }

  /// The folder with the weights of a head alone, in a case reduced to them; nil in a case with a whole model.
  var headFolder: URL? {
    let head = folder.appending(path: "head")
    return FileManager.default.fileExists(atPath: head.path) ? head : nil
  }

  /// The folders with cases: `CALM_FIXTURES` if it is set, otherwise the copy next to the tests and `shared/fixtures`
  /// next to the package (`CALM_SHARED` names another `shared`).
  static let roots: [URL] = {
    let environment = ProcessInfo.processInfo.environment
    if let path = environment["CALM_FIXTURES"] { return [URL(filePath: path)] }
    let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let package = tests.deletingLastPathComponent().deletingLastPathComponent()
    let sibling = package.deletingLastPathComponent().appending(path: "shared")
    let shared = environment["CALM_SHARED"].map { URL(filePath: $0) } ?? sibling
    return [tests.appending(path: "Fixtures"), shared.appending(path: "fixtures")]
  }()

  /// Whether `CALM_FIXTURES` specifies the cases.
  static let areNamed = ProcessInfo.processInfo.environment["CALM_FIXTURES"] != nil

  /// Every case in the roots: each is a subfolder, or the root itself.
  static func all() throws -> [ParityCase] {
    try roots.flatMap { root in try ([root] + subfolders(of: root)).compactMap { try ParityCase(folder: $0) } }
  }

  private static func subfolders(of folder: URL) -> [URL] {
    let content = try? FileManager.default.contentsOfDirectory(
      at: folder.resolvingSymlinksInPath(), includingPropertiesForKeys: nil)
    return (content ?? []).filter(\.hasDirectoryPath).sorted { $0.path < $1.path }
  }
}

extension ParityCase: CustomTestStringConvertible {
  var testDescription: String {
    "\(folder.deletingLastPathComponent().lastPathComponent)/\(folder.lastPathComponent)"
  }
}

import Foundation

/// One folder of numbers recorded from the official code.
struct RecordedCase {
  private let tensors: [String: [Double]]

  /// `CALM_SHARED`, or `shared` beside the package.
  static let root: URL = {
    if let path = ProcessInfo.processInfo.environment["CALM_SHARED"] { return URL(filePath: path) }
    var package = URL(filePath: #filePath)
    for _ in 0..<4 { package.deleteLastPathComponent() }
    return package.deletingLastPathComponent().appending(path: "shared")
  }()

  /// The folders whose recorded tensors include all of `names`.
  static func folders(with names: [String]) -> [URL] {
    let fixtures = root.appending(path: "fixtures")
    let folders = try? FileManager.default.contentsOfDirectory(at: fixtures, includingPropertiesForKeys: nil)
    return (folders ?? []).filter { folder in
      guard let recorded = try? RecordedCase(folder: folder) else { return false }
      return names.allSatisfy { recorded.tensors[$0] != nil }
    }.sorted { $0.path < $1.path }
  }

  /// Reads the 64-bit integers and 32-bit floats of `expected.safetensors`.
  init(folder: URL) throws {
    let data = try Data(contentsOf: folder.appending(path: "expected.safetensors"))
    let headerSize = Int(data.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    let header = try JSONSerialization.jsonObject(with: data[8..<(8 + headerSize)]) as? [String: [String: Any]] ?? [:]
    var tensors: [String: [Double]] = [:]
    for (name, entry) in header {
      guard let dtype = entry["dtype"] as? String, let offsets = entry["data_offsets"] as? [Int] else { continue }
      let bytes = data[(8 + headerSize + offsets[0])..<(8 + headerSize + offsets[1])]
      bytes.withUnsafeBytes { bytes in
        switch dtype {
        case "I64":
          tensors[name] = (0..<(bytes.count / 8)).map {
            Double(bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self))
          }
        case "F32":
          tensors[name] = (0..<(bytes.count / 4)).map {
            Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self))
          }
        default: break
        }
      }
    }
    self.tensors = tensors
  }

  /// The values of a tensor, row-major.
  subscript(name: String) -> [Double] { tensors[name] ?? [] }
}

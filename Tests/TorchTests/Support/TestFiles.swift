import CALMCorpus
import CALMSupport
import Foundation

let runsLongTests = ProcessInfo.processInfo.environment["CALM_LONG_TESTS"] == "1"

/// A temporary folder, which is removed with the object.
final class ScratchFolder {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("calm-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(at: url) }

  func callAsFunction(_ name: String) -> URL { url.appendingPathComponent(name) }

  /// Writes a file and returns its URL.
  @discardableResult
  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> URL {
    // Some file systems flush to the disk when an existing file is overwritten, which makes thousands of writes slow.
    unlink(self(name).path)
    try Data(bytes).write(to: self(name))
    return self(name)
  }

  /// The names of all files in the folder, including hidden ones.
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() }
}

/// A file of the tests' `Fixtures` folder.
func fixture(_ name: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures").appendingPathComponent(name)
}

extension SeededGenerator {
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }

  /// `original` with a few random changes: bits, bytes, removed, duplicated or replaced ranges, or truncation.
  mutating func mutated(_ original: [UInt8], snippets: [String]) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &self) where !bytes.isEmpty {
      let position = Int.random(in: 0..<bytes.count, using: &self)
      let end = min(bytes.count, position + Int.random(in: 1...9, using: &self))
      switch Int.random(in: 0..<7, using: &self) {
      case 0: bytes[position] = UInt8.random(in: 0...255, using: &self)
      case 1: bytes[position] ^= 1 << UInt8.random(in: 0...7, using: &self)
      case 2: bytes.removeSubrange(position..<end)
      case 3: bytes.insert(contentsOf: bytes[position..<end], at: position)
      case 4: bytes.replaceSubrange(position..<end, with: Array(snippets.randomElement(using: &self)?.utf8 ?? "".utf8))
      case 5: for index in position..<end { bytes[index] = Bool.random(using: &self) ? 0xFF : 0 }
      default: if Int.random(in: 0..<4, using: &self) == 0 { bytes.removeSubrange(position...) }
      }
    }
    return bytes
  }
}

import CALMCorpus
import Foundation
import Testing

@Suite("Shared corpus of children's books")
struct SharedCorpusTests {
  /// The corpus in `CALM_SHARED`, or in the folder `shared` next to the package.
  private static let path: String = {
    let package = (0..<4).reduce(#filePath) { path, _ in (path as NSString).deletingLastPathComponent }
    let sibling = ((package as NSString).deletingLastPathComponent as NSString).appendingPathComponent("shared")
    let shared = ProcessInfo.processInfo.environment["CALM_SHARED"] ?? sibling
    return (shared as NSString).appendingPathComponent("corpus/children.jsonl.zst")
  }()

  @Test(
    "The shared corpus has the number of documents and characters in its description",
    .enabled(if: Programs.hasZstandard, "zstd is not installed"),
    .enabled(if: FileManager.default.fileExists(atPath: path), "the corpus is not in CALM_SHARED"))
  func counts() throws {
    let reader = try CorpusReader(paths: [Self.path])
    var documents = 0
    var scalars = 0
    while let document = try reader.next() {
      documents += 1
      scalars += document.text.unicodeScalars.count
    }
    #expect(documents == 1_621)
    #expect((scalars + 50_000) / 100_000 == 204)
    #expect(reader.progress.bytesRead == reader.progress.totalBytes)
  }
}

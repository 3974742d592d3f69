import Foundation
import Testing

/// Tests of `calm report` with models that generate texts for it; the page itself is tested with the library.
@Suite("calm report") struct ReportCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The number of texts on the page about some runs.
  private func texts(_ arguments: String...) throws -> Int {
    let page = folder.path("page.html")
    let result = try Command.run(["report", "--out", page] + arguments)
    #expect(result.status == 0, "\(result.errorOutput)")
    return try String(contentsOfFile: page, encoding: .utf8).components(separatedBy: "<blockquote>").count - 1
  }

  @Test("Each language model that can be loaded generates two texts, unless they are disabled")
  func samples() throws {
    let demo = try QuickDemo.folder.get()
    let run = demo.path("demo/lm")
    #expect(try texts(run, demo.path("demo/autoencoder"), "--threads", "1") == 2)
    #expect(try texts(run, "--num-samples", "0") == 0)
    let copy = try QuickDemo.copy("lm", to: folder)
    try Data("{".utf8).write(to: copy.appendingPathComponent("model/config.json"))
    #expect(try texts(copy.path, "--threads", "1") == 0)
    // The state of a run before its first checkpoint.
    for name in ["model", "latest"] { try FileManager.default.removeItem(at: copy.appendingPathComponent(name)) }
    #expect(try texts(copy.path, run, "--num-samples", "1", "--threads", "1") == 1)
  }
}

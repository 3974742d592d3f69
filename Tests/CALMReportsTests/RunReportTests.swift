import CALMReports
import CALMTraining
import Foundation
import Testing
import TrainingTestSupport

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct RunReportTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-report-\(UUID().uuidString)")

  /// A run with `steps` lines of metrics, made up.
  @discardableResult
  private func addRun(_ name: String, steps: Int, rate: Double = 0.001, note: String = "x") throws -> URL {
    let run = try RunFolder(creating: folder.appendingPathComponent(name))
    let record = """
      {"model": {"kind": "calm", "configuration": {"hidden_size": 32, "head": "energy"}, "autoencoder": "\(note)"},
       "settings": {"steps": \(steps), "schedule": {"peak": \(rate)}}, "program": "tests"}
      """
    try Data(record.utf8).write(to: run.recordURL)
    var lines = ""
    for step in 1...steps {
      let loss = 2 + 4 / (1 + Double(step) / 20) + sin(Double(step)) / 4
      lines += "{\"learning_rate\":\(rate),\"loss\":\(loss),\"gradient_norm\":\(1 + loss),\"step\":\(step)}\n"
      if step % max(1, steps / 5) == 0 { lines += "{\"brier_lm\":\(Double(step) / Double(steps)),\"step\":\(step)}\n" }
    }
    try Data(lines.utf8).write(to: run.metricsURL)
    return run.url
  }

  private func pictures(in page: String) -> [String] {
    page.components(separatedBy: "<svg ").dropFirst().map {
      "<svg " + $0.components(separatedBy: "</svg>")[0] + "</svg>"
    }
  }

  @Test("curves of every figure that changes, well formed, and nothing that needs a network")
  func page() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("one", steps: 300), try addRun("two", steps: 50, rate: 0.002)]).html
    #expect(pictures(in: page).count == 4, "BrierLM, loss, gradient norm and the two learning rates")
    for picture in pictures(in: page) {
      #expect(XMLParser(data: Data(picture.utf8)).parse() && !picture.contains("nan"))
      #expect(picture.components(separatedBy: "class=\"series\"").count == 3)
    }
    let links = page.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
    for phrase in ["http:", "https:", "src=", "@import", "url("] { #expect(!links.contains(phrase), "\(phrase)") }
  }

  @Test("settings stand side by side, marked where they differ")
  func settings() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("one", steps: 9), try addRun("two", steps: 9, rate: 0.002)]).html
    #expect(
      page.contains(
        "<tr class=\"differs\"><th scope=\"row\">settings.learning_rate</th><td>0.001</td><td>0.002</td></tr>"))
    #expect(page.contains("<tr><th scope=\"row\">model.hidden_size</th><td>32</td><td>32</td></tr>"))
  }

  @Test("what stands in names, settings and samples cannot become markup")
  func escaping() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let evil = "</script><img onerror=alert(1)>&'"
    let run = try addRun("a<b>&'", steps: 5, note: evil)
    let page = try RunReport([run], samples: [run: [RunReport.Sample(text: evil, note: evil)]]).html
    #expect(!page.contains("<img") && !page.contains("a<b>"))
    #expect(page.contains("a&lt;b&gt;&amp;&#39;"))
    #expect(page.components(separatedBy: "&lt;img onerror=alert(1)&gt;&amp;&#39;").count == 4)
    #expect(page.components(separatedBy: "</script>").count == 2)
  }

  @Test("runs of one name are told apart by their folders")
  func names() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("a/calm", steps: 5), try addRun("b/calm", steps: 5)]).html
    #expect(page.contains("a/calm") && page.contains("b/calm"))
  }

  @Test("a long run is thinned: the page stays small, and the curve keeps its range")
  func thinning() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("long", steps: 20_000)]).html
    #expect(page.utf8.count < 100_000)
    #expect(page.contains("<polygon"))
  }

  @Test("a run without any figures yet is shown, a folder without a run refused")
  func incomplete() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try addRun("new", steps: 1)
    try FileManager.default.removeItem(at: run.appendingPathComponent("metrics.jsonl"))
    #expect(try RunReport([run]).html.contains("No figures yet"))
    let nowhere = folder.appendingPathComponent("nowhere")
    #expect(throws: TrainingError.noRun(nowhere.path)) { try RunReport([nowhere]) }
  }
}

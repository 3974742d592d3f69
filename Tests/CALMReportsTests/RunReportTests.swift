import CALMReports
import CALMTraining
import Foundation
import Testing
import TrainingTestSupport

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("Run reports") struct RunReportTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-report-\(UUID().uuidString)")

  /// Creates a run with `steps` lines of synthetic metrics.
  @discardableResult
  private func addRun(_ name: String, steps: Int, rate: Double = 0.001, note: String = "x") throws -> URL {
    let run = try RunFolder(creating: folder.appendingPathComponent(name))
    let record = """
      {"kind": "lm", "settings": {"steps": \(steps), "learning_rate": \(rate), "autoencoder": "\(note)"},
       "model": {"hidden_size": 32, "head": "energy"}, "program": "tests"}
      """
    try Data(record.utf8).write(to: run.recordURL)
    var lines = ""
    for step in 1...steps {
      let loss = 2 + 4 / (1 + Double(step) / 20) + sin(Double(step)) / 4
      lines +=
        "{\"kind\":\"train\",\"learning_rate\":\(rate),\"loss\":\(loss),\"gradient_norm\":\(1 + loss),\"step\":\(step)}\n"
      if step % max(1, steps / 5) == 0 {
        lines += "{\"kind\":\"evaluation\",\"brier_lm\":\(Double(step) / Double(steps)),\"step\":\(step)}\n"
      }
    }
    try Data(lines.utf8).write(to: run.metricsURL)
    return run.url
  }

  private func images(in page: String) -> [String] {
    page.components(separatedBy: "<svg ").dropFirst().map {
      "<svg " + $0.components(separatedBy: "</svg>")[0] + "</svg>"
    }
  }

  @Test("The page has a well-formed chart for each metric that changes, and no external links")
  func page() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("one", steps: 300), try addRun("two", steps: 50, rate: 0.002)]).html
    #expect(images(in: page).count == 4, "BrierLM, loss, gradient norm and the two learning rates")
    for image in images(in: page) {
      #expect(XMLParser(data: Data(image.utf8)).parse() && !image.contains("nan"))
      #expect(image.components(separatedBy: "class=\"series\"").count == 3)
    }
    let links = page.replacingOccurrences(of: "xmlns=\"http://www.w3.org/2000/svg\"", with: "")
    for phrase in ["http:", "https:", "src=", "@import", "url("] { #expect(!links.contains(phrase), "\(phrase)") }
  }

  @Test("The page compares the settings of runs and highlights differences")
  func settings() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("one", steps: 9), try addRun("two", steps: 9, rate: 0.002)]).html
    #expect(
      page.contains(
        "<tr class=\"differs\"><th scope=\"row\">settings.learning_rate</th><td>0.001</td><td>0.002</td></tr>"))
    #expect(page.contains("<tr><th scope=\"row\">model.hidden_size</th><td>32</td><td>32</td></tr>"))
  }

  @Test("Names, settings and samples are escaped in the page")
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

  @Test("Runs with the same name are distinguished by their folders")
  func names() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("a/calm", steps: 5), try addRun("b/calm", steps: 5)]).html
    #expect(page.contains("a/calm") && page.contains("b/calm"))
  }

  @Test("The page of a long run is small and shows the range of omitted values")
  func thinning() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let page = try RunReport([try addRun("long", steps: 20_000)]).html
    #expect(page.utf8.count < 100_000)
    #expect(page.contains("<polygon"))
  }

  @Test("The page shows a run without metrics, and a folder without a run is an error")
  func incomplete() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try addRun("new", steps: 1)
    try FileManager.default.removeItem(at: run.appendingPathComponent("metrics.jsonl"))
    #expect(try RunReport([run]).html.contains("No metrics yet"))
    let nowhere = folder.appendingPathComponent("nowhere")
    #expect(throws: TrainingError.noRun(nowhere.path)) { try RunReport([nowhere]) }
  }
}

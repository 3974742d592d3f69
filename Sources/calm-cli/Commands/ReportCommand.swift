import ArgumentParser
import CALM
import CALMReports
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// `calm report`.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write an HTML page that compares the curves and settings of runs.",
    discussion: """
      The page is one file that works offline and on a phone. It shows curves of the losses, BrierLM, gradient norm, \
      speed and learning rate, and all settings, with differences marked. Runs may still be in progress. Each language \
      model generates short texts for the page, from its latest checkpoint if unfinished; --num-samples 0 disables them.

      Example:
        calm report runs/lm
        calm report runs/* --out comparison.html --num-samples 3
      """)

  @Argument(help: ArgumentHelp("Run folders.", valueName: "run"))
  var runs: [String]

  @Option(name: .customLong("out"), help: ArgumentHelp("HTML file to write.", valueName: "file"))
  var output = "report.html"

  @Option(
    help: ArgumentHelp("Number of texts that each language model generates for the page.", valueName: "n"),
    transform: whole(from: 0))
  var numSamples = 2

  @Option(
    help: ArgumentHelp(
      "Temperature of these texts, at most 1, given as a number or a fraction. (default: 1/2)", valueName: "t"))
  var temperature: String?

  @OptionGroup var compute: ComputeOptions

  private var usedTemperature: String { temperature ?? "1/2" }

  private func options() throws -> GenerationOptions {
    // Limited to a few sentences, so that the page is ready soon.
    try GenerationOptions(
      temperature: Temperature.number(parsing: usedTemperature), maximumTokens: 80, sequences: max(1, numSamples))
  }

  func validate() throws {
    do { try options().chosenSampler(among: [.batch]) } catch { throw ValidationError("\(error)") }
    try refuse(
      withoutEffect(
        "with --num-samples 0", when: numSamples == 0,
        [
          "--temperature": temperature, "--threads": compute.threads, "--device": compute.device,
          "--precision": compute.precision,
        ]))
  }

  func run() throws {
    let folders = runs.map { URL(fileURLWithPath: $0) }
    let target = URL(fileURLWithPath: output)
    try requireParentFolder(of: target)
    // Reports a folder that is not a run before loading models.
    for folder in folders { _ = try RunFolder(opening: folder) }
    let report = try RunReport(folders, samples: numSamples > 0 ? write(for: folders) : [:])
    try AtomicFile.write(Data(report.html.utf8), to: target.path)
    try StandardOutput.write("\(output): \(counted(folders.count, "run"))\n")
  }

  /// Texts written by the models of the runs. A run without a loadable language model, such as one before its first
  /// checkpoint, has no texts; the page is still written.
  private func write(for folders: [URL]) throws -> [URL: [RunReport.Sample]] {
    let setting = try compute.prepare()
    var written: [URL: [RunReport.Sample]] = [:]
    for folder in folders {
      do {
        guard let model = try newestModel(of: folder), model.kind != .autoencoder else { continue }
        written[folder] = try texts(of: model, label: relativePath(folder.path), setting).map {
          RunReport.Sample(text: $0, note: "\(model.url.lastPathComponent), temperature \(usedTemperature)")
        }
      } catch {
        StandardError.note("\(relativePath(folder.path)): no samples: \(failureLine(for: error))")
      }
    }
    return written
  }

  private func texts(of model: ModelFolder, label: String, _ setting: ComputeSetting) throws -> [String] {
    let options = try options()
    let tokenizer = try model.tokenizer()
    let bar = ProgressBar(label: "samples of \(label)", total: nil)
    defer { bar.finish() }
    let generator =
      try model.kind == .autoregressive
      ? TextGenerator(
        model.loadAutoregressiveModel(device: setting.device, as: setting.precision), tokenizer: tokenizer,
        prompt: "", options: options)
      : TextGenerator(
        model.loadLanguageModel(device: setting.device, as: setting.precision), tokenizer: tokenizer, prompt: "",
        options: options)
    var steps = 0
    while try generator.step() != nil {
      steps += 1
      bar.update(completed: steps)
    }
    return generator.texts
  }

  /// The final model of a run, or its last checkpoint; nil before the first.
  private func newestModel(of run: URL) throws -> ModelFolder? {
    let folder = try RunFolder(opening: run)
    if FileManager.default.fileExists(atPath: folder.modelURL.path) { return try ModelFolder(folder.modelURL) }
    return try (try? folder.latestCheckpoint()).map { try ModelFolder($0) }
  }
}

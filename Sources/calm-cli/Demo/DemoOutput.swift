import CALMCorpus
import CALMExperiments
import CALMSupport
import CALMTerminal

/// Shows a demo on the terminal: a progress bar for each stage, then a line with its result.
final class DemoOutput {
  private let demo: Demo
  /// Reads the text; nil for synthetic stories.
  private let reader: CorpusReader?
  private var bar: ProgressBar?
  private var training: TrainingReporter?

  init(_ demo: Demo, reader: CorpusReader?) { (self.demo, self.reader) = (demo, reader) }

  /// The callback of the demo.
  func report(_ event: DemoEvent) -> Decision {
    switch event {
    case .began: break
    case .progress(let stage, let completed, let total):
      let bar = bar ?? ProgressBar(label: stage.rawValue, total: total)
      self.bar = bar
      bar.update(completed: completed)
    case .training(let stage, let event, let total):
      let reporter = training ?? TrainingReporter(label: stage.rawValue, total: total, isQuiet: true)
      training = reporter
      return reporter.report(event)
    case .planned(let stage, let steps, let secondsPerStep):
      finish()
      let milliseconds = String(format: "%.0f", 1000 * secondsPerStep)
      StandardError.note("\(stage.rawValue): \(grouped(steps)) steps of \(milliseconds) ms each fit into the time")
    case .finished(let stage, let seconds):
      finish()
      StandardError.note("\(stage.rawValue): \(line(for: stage)) (\(String(format: "%.0f", seconds)) s)")
    }
    return Interruption.isRequested ? .stop : .continue
  }

  /// Removes the progress bar.
  func finish() {
    bar?.finish()
    training?.finish()
    (bar, training) = (nil, nil)
  }

  /// A table of the stages with their results and times.
  var summary: String {
    var table = Table(header: ["stage", "result", "time"], alignments: [.left, .left, .right])
    let stages = demo.results.stages
    for stage in stages {
      table.append([stage.name.rawValue, line(for: stage.name), "\(Int(stage.seconds.rounded())) s"])
    }
    table.append(["all", "", "\(Int(stages.reduce(0) { $0 + $1.seconds }.rounded())) s"])
    return table.text
  }

  /// The result of a stage that has ended.
  private func line(for stage: DemoStage) -> String {
    let results = demo.results
    switch stage {
    case .text:
      let count = results.documents ?? 0
      let documents = reader == nil ? "\(grouped(count)) stories" : counted(count, "document")
      return "\(documents), \(shortBytes(results.bytes ?? 0))\(reader?.progress.remarks ?? "")"
    case .tokenizer: return "\(grouped(results.vocabularySize ?? 0)) tokens"
    case .data:
      return """
        \(shortCount(results.trainingTokens ?? 0)) tokens to train on, \
        \(shortCount(results.validationTokens ?? 0)) held out
        """
    case .autoencoder:
      let parameters = "\(shortCount(results.autoencoderParameters ?? 0)) parameters"
      guard let levels = results.autoencoder?.accuracy else { return "\(parameters), no text was held out" }
      func accuracy(_ noise: Double) -> String {
        String(format: "%.2f %%", 100 * (levels.first { $0.noise == noise }?.accuracy ?? 0))
      }
      return "\(parameters), token accuracy \(accuracy(0)), with noise 0.3 \(accuracy(0.3))"
    case .languageModel:
      return """
        \(shortCount(results.languageModelParameters ?? 0)) parameters, \(results.languageModelSteps ?? 0) steps, \
        \(results.head) loss \(String(format: "%.2f", results.trainingLoss ?? 0))
        """
    case .distillation:
      return "\(results.distillationSteps ?? 0) steps; the student samples a chunk in one step of its head"
    case .evaluation:
      guard let score = results.languageModel?.brierLM else { return "no text was held out" }
      let error = score.scoreStandardError.map { String(format: " ± %.2f", $0) } ?? ""
      return "BrierLM \(String(format: "%.2f", score.score))\(error)"
    case .samples:
      let texts = "at temperature \(results.temperature ?? "")"
      guard let report = results.report else { return "\(counted(results.samples.count, "text")) \(texts)" }
      return """
        \(results.samples.count) stories \(texts): \
        \(String(format: "%.1f", 100 * report.acceptedFraction)) % of their sentences accepted by the grammar, \
        \(String(format: "%.0f", 100 * report.consistentFraction)) % of the stories consistent
        """
    }
  }
}

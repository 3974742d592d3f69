import ArgumentParser
import CALM
import CALMExperiments
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation

/// `calm experiment`.
struct ExperimentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Train and evaluate the models that a file describes, and compare them in tables and plots.",
    discussion: """
      The YAML or JSON file describes text, autoencoders and models; a list in place of a value means one run per \
      entry, and a list of seeds one run per seed. The whole file is checked before anything runs. Completed runs are \
      skipped, and after an interruption the same command continues. At the end the folder contains table.csv, \
      table.md and plots (SVG): BrierLM against FLOPs and, if the file asks for it, against the measured speed, the \
      losses, and accuracy against noise.

      Example:
        calm experiment examples/stories.yaml --out runs/stories
      """)

  @Argument(help: "The experiment file, .yaml or .json.")
  var file: String

  @Option(name: .customLong("out"), help: ArgumentHelp("Experiment folder.", valueName: "folder"))
  var output: String

  @Flag(help: "Check the file and list its runs, without training.")
  var check = false

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func run() throws {
    let plan = try ExperimentPlan(contentsOf: URL(fileURLWithPath: file))
    let compute = try compute.prepare()
    if check {
      return try report.print(plan.runs.map(\.name), text: plan.runs.map { $0.name + "\n" }.joined())
    }
    let folder = URL(fileURLWithPath: output)
    StandardError.note("\(counted(plan.runs.count, "run")), \(compute.summary)")
    let runner = ExperimentRunner(
      plan, in: folder, precision: compute.precision, device: compute.device, program: "calm \(calmVersion)")
    let results = try runner.run(note: StandardError.note) { name, run in
      let reporter = TrainingReporter(label: name, total: run.record.settings.training.steps, isQuiet: true)
      defer { reporter.finish() }
      return try run.train(report: reporter.report)
    }
    guard let results else {
      StandardError.note("stopped; run the same command again to continue")
      throw ExitCode(130)
    }
    try report.print(
      results, text: ExperimentTable(plan.rows(of: results)).markdown + "tables and plots are in \(folder.path)\n")
  }
}

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
    abstract: "Run the trainings and evaluations of a file, and compare them in tables and plots.",
    discussion: """
      The file is YAML or JSON: text, autoencoders and models, where a list in place of a value stands for a training with each \
      of its entries. It is checked as a whole before anything runs. What is done already is passed over, and after an \
      interruption the same command goes on. The folder then holds table.csv, table.md and plots (SVG) of BrierLM \
      against FLOPs, of the losses, and of accuracy against noise.

      Example:
        calm experiment examples/stories.yaml --out runs/stories
      """)

  @Argument(help: "The experiment file, .yaml or .json.")
  var file: String

  @Option(name: .customLong("out"), help: ArgumentHelp("The folder of the experiment.", valueName: "folder"))
  var output: String

  @Flag(help: "Check the file and the other options and list the trainings, without running any.")
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
    StandardError.note("\(counted(plan.runs.count, "training")), \(compute.summary)")
    let runner = ExperimentRunner(
      plan, in: folder, precision: compute.precision, device: compute.device, program: "calm \(calmVersion)")
    let results = try runner.run { name, run in
      let reporter = TrainingReporter(label: name, total: run.record.settings.training.steps, isQuiet: true)
      defer { reporter.finish() }
      return try run.train(report: reporter.report)
    }
    guard let results else {
      StandardError.note("stopped; the same command goes on")
      throw ExitCode(130)
    }
    try report.print(results, text: ExperimentTable(results).markdown + "tables and plots are in \(folder.path)\n")
  }
}

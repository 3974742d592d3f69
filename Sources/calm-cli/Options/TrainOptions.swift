import ArgumentParser
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation

/// What every `calm train` command takes: its settings, and what to do with them.
struct TrainOptions: ParsableArguments {
  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("The settings listed below, as '--name value'.", valueName: "settings"))
  var settings: [String] = []

  @Option(
    help: ArgumentHelp(
      "Read settings from a YAML or JSON file, or a run.json; options override them.", valueName: "file"))
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Resume the run in this folder, or from this checkpoint; only limits, threads and processes may change.",
      valueName: "run"))
  var resume: String?

  @Flag(help: "Print the resolved settings as a file for --config, and train nothing.")
  var printSettings = false

  @OptionGroup var report: OutputOptions

  /// Options that are no settings, for suggestions.
  private static let otherOptions = ["--config", "--resume", "--print-settings", "--json", "--help"]

  /// The settings on the command line, and those of the file that are not.
  ///
  /// - Returns: the settings, and the faults of the file alone.
  /// - Throws: an error of reading the file.
  func given(_ declarations: [SettingDeclaration], kind: ModelKind) throws -> (GivenSettings, faultsOfFile: [String]?) {
    let isResumed = resume != nil
    let line = GivenSettings(
      arguments: kind == .student ? Self.namingTeacher(settings) : settings, of: declarations, isResumed: isResumed,
      otherOptions: Self.otherOptions)
    var file = GivenSettings(isFromFile: true)
    if let config { file = try GivenSettings(file: config, of: declarations, kind: kind, isResumed: isResumed) }
    let isOfFileAlone = line.faults.isEmpty && !file.faults.isEmpty
    return (line.over(file, faultsIn: config ?? ""), isOfFileAlone ? file.faults : nil)
  }

  /// The arguments of `calm distill`, whose first may be the model.
  private static func namingTeacher(_ arguments: [String]) -> [String] {
    arguments.first.map { !$0.hasPrefix("-") } == true ? ["--init-from"] + arguments : arguments
  }

  /// The run or checkpoint to resume: that of --resume. A process that a launcher has restarted resumes the run itself,
  /// also where its options begin one: the checkpoint that they name may be gone, and the run has come further.
  ///
  /// - Parameter out: the folder of a new run.
  /// - Throws: ``TrainingError`` where there is no such run.
  func runToResume(out: String?) throws -> URL? {
    let named = resume.map { URL(fileURLWithPath: $0) }
    guard LaunchedProcess.isRestart else { return named }
    if let named { return try RunFolder.locate(named).run.url }
    guard let begun = out.map({ URL(fileURLWithPath: $0) }),
      FileManager.default.fileExists(atPath: RunFolder(at: begun).recordURL.path)
    else { return nil }
    return begun
  }
}

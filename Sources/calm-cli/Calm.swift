import ArgumentParser
import CALMSupport
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// The command `calm`: everything from text to a trained model and back to text.
@main
struct Calm: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calm",
    abstract: "Trains, evaluates and runs continuous autoregressive language models (CALM).",
    discussion: """
      An autoencoder turns every chunk of K tokens into one vector, and a Transformer predicts the next vector instead \
      of the next token. To see it all work in a few minutes, run

        calm demo

      For your own text, step by step:

        calm tokenizer train books/*.txt --vocab-size 4096 --out tokenizer.json
        calm data prepare books/*.txt --tokenizer tokenizer.json --out data
        calm train autoencoder --data data --out runs/ae
        calm train lm --data data --autoencoder runs/ae/model --out runs/lm
        calm eval lm runs/lm/model --data data
        calm generate runs/lm/model --prompt "Once upon a time"

      'calm help COMMAND' explains each, with an example.
      """,
    version: calmVersion,
    groupedSubcommands: [
      CommandGroup(name: "Data", subcommands: [TokenizerCommand.self, DataCommand.self]),
      CommandGroup(
        name: "Training",
        subcommands: [
          DemoCommand.self, TrainCommand.self, DistillCommand.self, ExperimentCommand.self, RunsCommand.self,
          ReportCommand.self,
        ]),
      CommandGroup(
        name: "Model",
        subcommands: [
          EvalCommand.self, GenerateCommand.self, ServeCommand.self, InfoCommand.self, ConvertCommand.self,
        ]),
      CommandGroup(name: "Machine", subcommands: [DoctorCommand.self]),
    ])

  /// Runs the command that the arguments name. A failure prints one line and exits with status 1; wrong arguments print
  /// the usage and exit with status 64.
  static func main() {
    // `calm … | head` ends silently like any filter, even if the parent process ignores the signal.
    signal(SIGPIPE, SIG_DFL)
    // A file that outgrows its size limit becomes an error of the write, reported like a full disk.
    signal(SIGXFSZ, SIG_IGN)
    var command: any ParsableCommand = Calm()
    do {
      try Processor.Level.checkLimit()
      command = try parseAsRoot()
      try command.run()
    } catch {
      // Skips cleanup at exit, because threads may still wait for a process that has ended.
      if LaunchedProcess.isQuiet(about: error) { _exit(ProcessLauncher.peerGone) }
      if exitCode(for: error) == .success, let help = TrainCommand.help(for: error) {
        print(help)
        exit()
      }
      guard exitCode(for: error) == .failure else { exit(withError: error) }
      let line = failureLine(for: error) + optionHint(for: error, of: command)
      if !line.isEmpty { StandardError.write("Error: \(line)\n") }
      if error is ProcessGroupError { _exit(ExitCode.failure.rawValue) }
      exit(withError: ExitCode.failure)
    }
  }
}

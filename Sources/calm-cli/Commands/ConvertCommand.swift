import ArgumentParser
import CALM
import CALMTerminal
import Foundation

/// `calm convert`.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert a model to the format of the official PyTorch code.",
    discussion: """
      Takes a folder that 'calm train' or the official code wrote. The official code \
      (from_pretrained) and this program read the new one, and every number stays the same. 'official' is \
      pytorch_model.bin, as the official training code writes it; 'safetensors' is model.safetensors, without the \
      head's second copy.

      The autoencoder goes into autoencoder/ of the new folder, and config.json names it by its absolute path; change \
      ae_path there if you move the folder and want the official code to read it.

      Example:
        calm convert runs/lm/model --to official --out exported
      """)

  @Argument(help: ArgumentHelp("Model folder.", valueName: "model"))
  var folder: String

  @Option(name: .customLong("to"), help: "Format to write.")
  var format: CheckpointFormat

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp(
      "New folder. (default: next to the model, with the layout's name appended)", valueName: "folder"))
  var output: String?

  @Option(help: ArgumentHelp("Autoencoder folder, if not the one that the model names.", valueName: "folder"))
  var autoencoder: String?

  @OptionGroup var report: OutputOptions

  func run() throws {
    let source = URL(fileURLWithPath: folder)
    let target =
      output.map { URL(fileURLWithPath: $0) }
      ?? source.deletingLastPathComponent().appendingPathComponent("\(source.lastPathComponent)-\(format.rawValue)")
    let model = try ModelFolder(source)
    if autoencoder != nil && model.kind != .languageModel {
      throw InputError.otherKind(
        model: folder, option: "--autoencoder", kind: model.kind, needed: .languageModel)
    }
    try model.convert(to: format, at: target, autoencoder: autoencoder.map { URL(fileURLWithPath: $0) })
    let results = Results(folder: target.path, kind: model.kind.rawValue, format: format.rawValue)
    try report.print(results, text: "\(target.path): \(model.kind.rawValue), \(format.rawValue)")
  }

  private struct Results: Encodable {
    let folder: String
    let kind: String
    let format: String
  }
}

extension CheckpointFormat: ExpressibleByArgument {}

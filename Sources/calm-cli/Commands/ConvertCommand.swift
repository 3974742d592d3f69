import ArgumentParser
import CALM
import CALMTerminal
import Foundation

/// `calm convert`.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert a model to the format of the official PyTorch code, or to half its size.",
    discussion: """
      Takes a folder that 'calm train' or the official code wrote. 'official' and 'safetensors' are for the official \
      code (from_pretrained), and this program reads them too; every number stays the same. 'official' is \
      pytorch_model.bin, as the official training code writes it; 'safetensors' is model.safetensors, without the \
      head's second copy. 'bfloat16' is for this program and takes any model: its weights are rounded to bfloat16.

      The autoencoder goes into autoencoder/ of the new folder. For the official code, config.json names it by its \
      absolute path; change ae_path there if you move the folder.

      Example:
        calm convert runs/lm/model --to official --out exported
        calm convert runs/lm/model --to bfloat16 --out small
      """)

  @Argument(help: ArgumentHelp("Model folder.", valueName: "model"))
  var folder: String

  @Option(name: .customLong("to"), help: "Format to write.")
  var format: Format

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case official, safetensors, bfloat16
  }

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp(
      "New folder. (default: next to the model, with the format's name appended)", valueName: "folder"))
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
    let autoencoder = autoencoder.map { URL(fileURLWithPath: $0) }
    switch format {
    case .official: try model.convert(to: .official, at: target, autoencoder: autoencoder)
    case .safetensors: try model.convert(to: .safetensors, at: target, autoencoder: autoencoder)
    case .bfloat16: try model.round(to: target, autoencoder: autoencoder)
    }
    let results = Results(folder: target.path, kind: model.kind.rawValue, format: format.rawValue)
    try report.print(results, text: "\(target.path): \(model.kind.rawValue), \(format.rawValue)")
  }

  private struct Results: Encodable {
    let folder: String
    let kind: String
    let format: String
  }
}

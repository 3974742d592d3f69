import ArgumentParser
import CALM
import CALMSupport
import CALMTerminal
import Foundation

/// `calm info`.
struct InfoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info",
    abstract: "Show the size and cost of a model: parameters, and FLOPs for training and inference.",
    discussion: """
      Accepts a model folder or the name of a preset: \(presetNames). Without an argument, compares all presets with \
      the paper's Table 1.

      Only matrix products count, two FLOPs per multiply-add. Attention is counted at the full context, training as \
      three forward passes, the head once per sample in training and once in inference.

      With --plan, estimates what a training takes: hours at a share of the devices' rate, memory, communication, \
      checkpoints and restarts. docs/scaling.md explains the estimate.

      Example:
        calm info calm-m --tokens 500B
        calm info runs/lm/model --json
        calm info calm-l --plan 230B --devices 64 --rate 989
      """)

  static let presetNames = Preset.allCases.map(\.rawValue).joined(separator: ", ")

  @Argument(help: ArgumentHelp("A model's folder or a preset.", valueName: "folder|preset"))
  var model: String?

  @Option(
    help: ArgumentHelp("Also show the FLOPs for training on this many tokens, such as 2e9 or 500B.", valueName: "n"))
  var tokens: TokenCount?

  @OptionGroup(title: "Plan of a training") var plan: PlanOptions
  @OptionGroup var report: OutputOptions

  func validate() throws {
    if plan.tokens == nil { return }
    if model == nil { throw ValidationError("--plan needs a model's folder or a preset") }
    try refuse(withoutEffect("with --plan", ["--tokens": tokens]))
  }

  func run() throws {
    guard let model else {
      let costs = Preset.allCases.map { ModelCosts(preset: $0, tokens: tokens?.count) }
      return try report.print(costs, text: comparison(costs))
    }
    let preset = Preset(rawValue: model)
    let sizes = try preset?.model ?? sizes(ofFolder: model)
    if let plan = try plan.plan(of: sizes) {
      let results = PlanReport(plan, of: model)
      return try report.print(results, text: results.text)
    }
    let costs =
      preset.map { ModelCosts(preset: $0, tokens: tokens?.count) }
      ?? ModelCosts(name: model, model: sizes, tokens: tokens?.count)
    try report.print(costs, text: description(costs))
  }

  private func sizes(ofFolder name: String) throws -> Preset.Model {
    if !FileManager.default.fileExists(atPath: name) {
      let near = nearestNames(to: name, among: Preset.allCases.map(\.rawValue))
      throw InfoError.unknownModel(name, suggestions: near.isEmpty ? Preset.allCases.map(\.rawValue) : near)
    }
    let folder = try ModelFolder(URL(fileURLWithPath: name))
    return switch folder.kind {
    case .autoencoder: .autoencoder(try folder.autoencoderConfiguration())
    case .languageModel: try continuous(folder)
    case .autoregressive: .autoregressive(try folder.autoregressiveConfiguration())
    }
  }

  private func continuous(_ folder: ModelFolder) throws -> Preset.Model {
    let model = try folder.languageModelConfiguration()
    return .continuous(model, model.head.usesAutoencoder ? try folder.autoencoderConfiguration() : nil)
  }

  private func description(_ costs: ModelCosts) -> String {
    var table = Table(header: ["part", "parameters", "FLOPs/token to run", "to train"])
    for part in costs.parts {
      table.append([part.name, shortCount(part.parameters), scientific(part.inference), scientific(part.training)])
    }
    table.append([
      costs.frozenParameters > 0 ? "together (frozen parameters apart)" : "together",
      shortCount(costs.parameters), scientific(costs.inferenceFlopsPerToken),
      scientific(costs.trainingFlopsPerToken),
    ])
    var lines = "\(costs.name): \(costs.kind)\n\n\(table.text)"
    if let tokens = costs.tokens, let training = costs.trainingFlops {
      lines += "\ntraining on \(scientific(tokens)) tokens: \(scientific(training)) FLOPs\n"
    }
    if let published = costs.published, let training = costs.paperTrainingFlops {
      lines += """

        paper, Table 1: \(published.parameterText) parameters, \
        \(scientific(published.inferencePerToken)) FLOPs/token to run, \
        \(scientific(published.training)) FLOPs to train, BrierLM \(String(format: "%.2f", published.brierLM))
        by this count:  \(shortCount(costs.parameters)) parameters, \
        \(scientific(costs.inferenceFlopsPerToken)) FLOPs/token to run, \
        \(scientific(training)) FLOPs to train on as many tokens

        """
    }
    return lines
  }

  private func comparison(_ costs: [ModelCosts]) -> String {
    var header = ["preset", "parameters", "paper", "FLOPs/token", "paper", "", "training FLOPs", "paper", ""]
    if let tokens { header.append("on \(scientific(tokens.count)) tokens") }
    var table = Table(header: header)
    for model in costs {
      var row = [model.name, shortCount(model.parameters)]
      if let published = model.published, let training = model.paperTrainingFlops {
        row += [
          published.parameterText,
          scientific(model.inferenceFlopsPerToken), scientific(published.inferencePerToken),
          difference(model.inferenceFlopsPerToken, published.inferencePerToken),
          scientific(training), scientific(published.training), difference(training, published.training),
        ]
      } else {
        row += ["", scientific(model.inferenceFlopsPerToken)]
      }
      if let training = model.trainingFlops {
        row += Array(repeating: "", count: header.count - 1 - row.count) + [scientific(training)]
      }
      table.append(row)
    }
    return table.text
  }

  private func difference(_ value: Double, _ published: Double) -> String {
    String(format: "%+.1f %%", (value / published - 1) * 100)
  }
}

extension Preset: ExpressibleByArgument {}

extension Preset.Published {
  /// The parameters in the digits that the paper gives.
  fileprivate var parameterText: String {
    parameters < 1e9 ? String(format: "%.0f M", parameters / 1e6) : String(format: "%.2f B", parameters / 1e9)
  }
}

/// What `calm info` says of a model.
struct ModelCosts: Encodable {
  let name: String
  let kind: String
  let parameters: Int
  let frozenParameters: Int
  let inferenceFlopsPerToken: Double
  let trainingFlopsPerToken: Double
  let parts: [ModelCost.Part]
  let tokens: Double?
  let trainingFlops: Double?
  var published: Preset.Published?
  var paperTrainingFlops: Double?

  init(name: String, model: Preset.Model, tokens: Double?) {
    let cost = model.cost
    self.name = name
    kind =
      switch model {
      case .continuous(let model, _):
        "continuous language model, K = \(model.chunkSize), latent size \(model.latentSize)"
      case .autoencoder(let model): "autoencoder, K = \(model.chunkSize), latent size \(model.latentSize)"
      case .autoregressive: "autoregressive Transformer"
      }
    parameters = cost.parameters
    frozenParameters = cost.frozenParameters
    inferenceFlopsPerToken = cost.inferencePerToken
    trainingFlopsPerToken = cost.trainingPerToken
    parts = cost.parts
    self.tokens = tokens
    trainingFlops = tokens.map { $0 * cost.trainingPerToken }
  }

  init(preset: Preset, tokens: Double?) {
    self.init(name: preset.rawValue, model: preset.model, tokens: tokens)
    published = preset.published
    paperTrainingFlops = preset.published == nil ? nil : preset.paperTraining
  }
}

/// A number of tokens as people write it: `250000`, `2e9`, `15B`.
struct TokenCount: ExpressibleByArgument {
  let count: Double

  init?(argument: String) {
    let units: [Character: Double] = ["k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12]
    let unit = argument.last.flatMap { units[$0] }
    guard let number = Double(unit == nil ? argument : String(argument.dropLast())), number > 0, number.isFinite else {
      return nil
    }
    count = number * (unit ?? 1)
  }
}

/// A model that `calm info` does not find.
enum InfoError: DescribedError, Equatable {
  case unknownModel(String, suggestions: [String])

  var description: String {
    switch self {
    case .unknownModel(let name, let suggestions):
      "'\(name)' is neither a folder nor a preset; did you mean \(suggestions.joined(separator: ", "))?"
    }
  }
}

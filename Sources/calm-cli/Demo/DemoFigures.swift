import CALM
import CALMCorpus
import CALMSupport
import CALMTerminal

/// What a demo found out, for its summary and for `--json`.
struct DemoFigures: Encodable {
  /// A stage and the time it took.
  struct Stage: Encodable {
    let name: String
    let result: String
    let seconds: Double
  }

  var folder: String
  var setting: String
  var stages: [Stage] = []
  var autoencoder: AutoencoderEvaluation?
  var languageModel: LanguageModelEvaluation?
  /// The judgement of the stories; only of the built-in tales.
  var report: StoryReport?
  var acceptedSentences: Double?
  var consistentStories: Double?
  var completeStories: Double?
  var temperature = ""
  var samples: [String] = []

  /// The stages with their results and times, a line each.
  var summary: String {
    var table = Table(header: ["stage", "result", "time"], alignments: [.left, .left, .right])
    for stage in stages { table.append([stage.name, stage.result, "\(Int(stage.seconds.rounded())) s"]) }
    table.append(["all", "", "\(Int(stages.reduce(0) { $0 + $1.seconds }.rounded())) s"])
    return table.text
  }
}

import CALM
import CALMTerminal
import Foundation

/// The results of `calm eval lm` and `calm eval transformer` as text.
struct LanguageModelTable {
  private var table = Table(alignments: [.left, .left])
  private var footer = ""

  /// The table, and a line about what was evaluated.
  var text: String { table.text + footer }

  init(_ result: LanguageModelEvaluation) {
    append(result.brierLM)
    append("energy score", result.energyScore)
    append("head loss", result.headLoss)
    if let likelihood = result.likelihood { append(likelihood) }
    if let diagnostics = result.diagnostics { append(diagnostics) }
    footer = footer(result.brierLM, sequenceTokens: result.sequenceTokens, samples: result.samples)
  }

  init(_ result: AutoregressiveEvaluation) {
    append(result.brierLM)
    if let likelihood = result.likelihood { append(likelihood) }
    footer = footer(result.brierLM, sequenceTokens: result.sequenceTokens, samples: result.samples)
  }

  private mutating func append(_ score: BrierLM) {
    append("BrierLM", score.score, error: score.scoreStandardError, digits: 2)
    for (index, value) in score.brier.enumerated() {
      append("Brier-\(index + 1)", value, error: score.brierStandardError?[index])
    }
  }

  private mutating func append(_ likelihood: TextLikelihood) {
    let method =
      switch likelihood.method {
      case .exact: "exact"
      case .evidenceBound: "evidence bound, \(counted(likelihood.samples ?? 0, "sample"))"
      case .mixtureBound: "mixture bound, \(counted(likelihood.samples ?? 0, "sample"))"
      }
    table.append(["likelihood", method])
    append("nats per token", likelihood.natsPerToken, error: likelihood.natsPerTokenStandardError)
    append("perplexity", likelihood.perplexity, digits: 2)
    append("bits per character", likelihood.bitsPerCharacter, error: likelihood.bitsPerCharacterStandardError)
    append("bits per byte", likelihood.bitsPerByte, error: likelihood.bitsPerByteStandardError)
  }

  private mutating func append(_ diagnostics: LanguageModelDiagnostics) {
    append("independent tokens: BrierLM", diagnostics.independentBrierLM, digits: 2)
    for (index, value) in (diagnostics.independentBrier ?? []).enumerated() {
      append("independent tokens: Brier-\(index + 1)", value)
    }
    append("independent tokens: cross-entropy", diagnostics.independentCrossEntropy)
    append("decoder confidence", diagnostics.decoderConfidence)
    append("conditional gap: Brier-1", diagnostics.brierGap)
    append("conditional gap: energy score", diagnostics.energyGap)
    for interval in diagnostics.crossEntropyByTime ?? [] {
      append(String(format: "cross-entropy at t from %.2f to %.2f", interval.from, interval.to), interval.crossEntropy)
    }
    append("agreement with the teacher", diagnostics.teacherAgreement)
  }

  private mutating func append(_ name: String, _ value: Double?, error: Double? = nil, digits: Int = 4) {
    guard let value else { return }
    let error = error.map { String(format: " ± %.\(digits)f", $0) } ?? ""
    table.append([name, String(format: "%.\(digits)f", value) + error])
  }

  private func footer(_ score: BrierLM, sequenceTokens: Int, samples: Int) -> String {
    "\(grouped(score.positions)) positions in \(counted(score.documents, "document")), blocks of \(sequenceTokens) tokens, \(samples) samples a position\n"
  }
}

import ArgumentParser
import CALM
import CALMTerminal
import Foundation

/// `calm eval lm`.
struct EvalLanguageModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lm",
    abstract: "BrierLM and Brier-1 to Brier-4 with standard errors, the energy score, likelihood and diagnostics.",
    discussion: """
      Every chunk is predicted from the true text before it in its sequence, so the score rises with the sequence \
      length: compare only scores of the same --sequence-length. If K is below 4, each sample is extended chunk by \
      chunk, at the cost of one forward pass per sample and further chunk. Standard errors come from resampling \
      documents.

      The likelihood is exact for a tokens head and an upper bound of the negative logarithm for the others. More \
      samples make it tighter, except for the posterior head. Only bits per character or byte compare tokenizers.

      Example:
        calm eval lm runs/lm/model --data data
        calm eval lm runs/lm/model --text held-out.txt --brier-samples 8 --json
        calm eval lm runs/lm/model --data data --likelihood-samples 32
        calm eval lm runs/student/model --data data --diagnostics --teacher runs/lm/model
      """)

  @Argument(help: ArgumentHelp("Language model folder.", valueName: "model"))
  var folder: String

  @OptionGroup var brier: BrierOptions

  @Option(help: ArgumentHelp("Autoencoder folder, if not the one in the model's folder.", valueName: "folder"))
  var autoencoder: String?

  @Option(
    help: ArgumentHelp(
      "Also bound the likelihood with this many samples per position; a tokens head needs none.", valueName: "n"))
  var likelihoodSamples: Int?

  @Flag(help: "Also measure where the model loses: see docs/evaluation.md.")
  var diagnostics = false

  @Option(
    help: ArgumentHelp("The model from which a one-step model was distilled, for --diagnostics.", valueName: "folder"))
  var teacher: String?

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func validate() throws {
    try positive("--likelihood-samples", likelihoodSamples)
    try refuse(withoutEffect("without --diagnostics", when: !diagnostics, ["--teacher": teacher]))
  }

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadLanguageModel(
      autoencoder: autoencoder.map { URL(fileURLWithPath: $0) }, device: compute.device,
      as: compute.precision)
    let sizes = model.configuration
    let teacher = try teacher(of: model, compute)
    let (sequences, seed) = (brier.text.numSequences, brier.seed)
    let result = try brier.withBlocks(
      for: folder, chunkSize: sizes.chunkSize, vocabularySize: sizes.vocabularySize, special: sizes.special
    ) { blocks in
      var result = try blocks.withProgress("evaluating") {
        try model.evaluate(
          on: blocks.text, sequences: sequences, samples: brier.brierSamples, seed: seed, progress: $0)
      }
      if let samples = likelihoodSamples ?? (model.likelihoodMethod == .exact ? 1 : nil) {
        let lengths = try TokenLengths(blocks.tokenizer)
        result.likelihood = try blocks.withProgress("likelihood") {
          try model.likelihood(
            of: blocks.text, sequences: sequences, samples: samples, lengths: lengths, seed: seed, progress: $0)
        }
      }
      if diagnostics {
        result.diagnostics = try blocks.withProgress("diagnostics") {
          try model.diagnostics(
            on: blocks.text, sequences: sequences, samples: brier.brierSamples, teacher: teacher, seed: seed,
            progress: $0)
        }
      }
      return result
    }
    try report.print(result, text: LanguageModelTable(result).text + compute.summary)
  }

  private func teacher(of model: ContinuousLanguageModel, _ compute: ComputeSetting) throws -> ContinuousLanguageModel?
  {
    guard let path = self.teacher else { return nil }
    guard model.configuration.isOneStep else {
      throw ValidationError("--teacher is for a one-step model, made by 'calm distill'; \(folder) samples in several")
    }
    if model.configuration.head == .tokens {
      throw ValidationError(
        "--teacher compares samples from equal noise; the student of a tokens head uses other noise than its teacher")
    }
    let teacher = try ModelFolder(URL(fileURLWithPath: path)).loadLanguageModel(
      autoencoder: autoencoder.map { URL(fileURLWithPath: $0) }, device: compute.device, as: compute.precision)
    guard model.canAgree(with: teacher) else {
      throw ValidationError("--teacher must have the head and the sizes of the student, not those of \(path)")
    }
    return teacher
  }
}

/// `calm eval transformer`.
struct EvalTransformer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transformer",
    abstract: "Cross-entropy, perplexity and BrierLM of an autoregressive Transformer.",
    discussion: """
      BrierLM is defined as in 'calm eval lm', with exact probabilities where possible, so few samples are enough. \
      Takes any model folder in the format of Hugging Face's LlamaForCausalLM.

      Example:
        calm eval transformer runs/transformer/model --data data
      """)

  @Argument(help: ArgumentHelp("Model folder.", valueName: "model"))
  var folder: String

  @OptionGroup var brier: BrierOptions

  @OptionGroup var compute: ComputeOptions
  @OptionGroup var report: OutputOptions

  func run() throws {
    let compute = try compute.prepare()
    let folder = try ModelFolder(URL(fileURLWithPath: folder))
    let model = try folder.loadAutoregressiveModel(device: compute.device, as: compute.precision)
    let sizes = model.configuration
    let result = try brier.withBlocks(
      for: folder, chunkSize: 1, vocabularySize: sizes.vocabularySize, special: sizes.special
    ) { blocks in
      let sequences = brier.text.numSequences
      var result = try blocks.withProgress("evaluating") {
        try model.evaluate(
          on: blocks.text, sequences: sequences, samples: brier.brierSamples, seed: brier.seed, progress: $0)
      }
      let lengths = try TokenLengths(blocks.tokenizer)
      result.likelihood = try blocks.withProgress("likelihood") {
        try model.likelihood(
          of: blocks.text, sequences: sequences, lengths: lengths, seed: brier.seed, progress: $0)
      }
      return result
    }
    try report.print(result, text: LanguageModelTable(result).text + compute.summary)
  }
}

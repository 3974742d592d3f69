import ArgumentParser
import CALMSupport
import CALMTerminal
import CALMTokenizer
import Foundation

/// `calm tokenizer train`.
struct TokenizerTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Learn a byte-level BPE vocabulary from text.",
    discussion: """
      Writes a tokenizer.json that Hugging Face tokenizers can read. The ids 0, 1 and 2 are <pad>, <bos> and <eos>.

      Example:
        calm tokenizer train books/*.txt --vocab-size 4096 --out tokenizer.json
      """)

  @OptionGroup var input: TextInputOptions

  @Option(
    help: ArgumentHelp("Vocabulary size, including 256 byte tokens and 3 special tokens.", valueName: "n"))
  var vocabSize = 4096

  @Option(name: .customLong("out"), help: ArgumentHelp("File to write.", valueName: "file"))
  var output: String

  @OptionGroup var report: OutputOptions

  private struct Results: Encodable {
    let tokenizer: String
    let vocabularySize: Int
    let contentHash: String
    let documents: Int
    let bytes: Int
    let skippedLines: Int
    let repairedDocuments: Int
    let seconds: Double
  }

  func run() throws {
    let start = ContinuousClock.now
    let target = URL(fileURLWithPath: output)
    // Checked first: reading the text may take minutes.
    try requireParentFolder(of: target)
    var trainer = try BPETrainer(vocabularySize: vocabSize)
    let reader = try input.reader()
    let bar = ProgressBar(label: "counting words", total: reader.progress.totalBytes)
    var bytes = 0
    while let document = try reader.next() {
      trainer.add(document.text)
      bytes += document.text.utf8.count
      let progress = reader.progress
      bar.update(completed: progress.bytesRead, detail: counted(progress.documents, "document"))
    }
    bar.finish()
    let tokenizer = try trainer.train()
    try tokenizer.save(to: target)

    let progress = reader.progress
    let results = Results(
      tokenizer: output, vocabularySize: tokenizer.vocabularySize, contentHash: tokenizer.contentHash,
      documents: progress.documents, bytes: bytes, skippedLines: progress.skippedLines,
      repairedDocuments: progress.repairedDocuments, seconds: start.duration(to: .now).seconds)
    if tokenizer.vocabularySize < vocabSize {
      StandardError.note("only \(tokenizer.vocabularySize) tokens: no further pair occurs twice in the text")
    }
    try report.print(
      results,
      text: """
        \(output): \(grouped(tokenizer.vocabularySize)) tokens from \(counted(progress.documents, "document")), \
        \(shortBytes(bytes)), in \(String(format: "%.1f", results.seconds)) s\(progress.remarks)
        """)
  }
}

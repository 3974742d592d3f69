import CALMCorpus
import Foundation

/// A corpus of several files, prepared as a whole and in parts with a tokenizer whose ids are bytes.
struct PartedCorpus {
  static let vocabulary = TokenVocabulary(tokenizerHash: "bytes", size: 257, endOfText: 256)

  let folder: ScratchFolder
  /// The inputs in reading order.
  var paths: [String]
  var options = CorpusOptions(documentUnit: .lines)
  /// Changes the settings of every preparation.
  var change: (inout DataPreparation) -> Void = { _ in }

  @Sendable static func bytes(_ text: String) -> [Int32] { text.utf8.map(Int32.init) }

  private var preparation: DataPreparation {
    var preparation = DataPreparation(vocabulary: Self.vocabulary, createdBy: "tests")
    preparation.validationFraction = 0.1
    preparation.attachments = ["tokenizer.json": Data("{}".utf8)]
    change(&preparation)
    return preparation
  }

  /// Prepares the whole corpus without parts.
  @discardableResult
  func prepareWhole(into name: String = "whole") throws -> DataSetManifest {
    try preparation.run(
      CorpusReader(paths: paths, options: options), into: folder(name), encode: Self.bytes)
  }

  /// Prepares one part, and returns its folder.
  @discardableResult
  func preparePart(_ number: Int, of count: Int, into name: String? = nil) throws -> String {
    let target = folder(name ?? "part-\(number)-of-\(count)")
    let part = CorpusPart(number, of: count)!
    _ = try preparation.runPart(
      CorpusReader(paths: paths, options: options).reader(of: part), into: target, encode: Self.bytes)
    return target
  }

  /// Prepares all parts, last first, and returns their folders in that order.
  func prepareParts(_ count: Int) throws -> [String] {
    try (1...count).reversed().map { try preparePart($0, of: count) }
  }

  /// Every file of a folder by name.
  func contents(_ name: String) throws -> [String: Data] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder(name))
    return Dictionary(
      uniqueKeysWithValues: names.map { ($0, FileManager.default.contents(atPath: folder(name) + "/" + $0)!) })
  }
}

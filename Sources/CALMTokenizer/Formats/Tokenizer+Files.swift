import Foundation

extension Tokenizer {
  /// Reads a tokenizer.
  ///
  /// - Parameter url: a Hugging Face `tokenizer.json`; a `tokenizer.model` of Llama 3 (ranks in tiktoken's format); or a
  ///   folder with one of these, in which a `tokenizer_config.json` says which tokens begin and end a text and pad it.
  /// - Throws: `TokenizerError`, also for settings in the file that are not supported.
  public convenience init(contentsOf url: URL) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue else {
      self.init(try Self.content(of: url))
      return
    }
    let names = ["tokenizer.json", "tokenizer.model"]
    let candidates = names.map { url.appendingPathComponent($0) }
    guard let file = candidates.first(where: { FileManager.default.fileExists(atPath: $0.path) }) else {
      throw TokenizerError.unreadable(
        file: url.path, reason: "the folder has neither tokenizer.json nor tokenizer.model")
    }
    var content = try Self.content(of: file)
    let configuration = url.appendingPathComponent("tokenizer_config.json")
    if FileManager.default.fileExists(atPath: configuration.path) {
      try TokenizerConfigurationReader(file: configuration.path).read(WholeFile.read(configuration), into: &content)
    }
    self.init(content)
  }

  /// Makes a tokenizer of the bytes of a `tokenizer.json` or `tokenizer.model`.
  ///
  /// - Parameter name: the file's name in errors.
  /// - Throws: `TokenizerError`.
  package convenience init(fileBytes: [UInt8], name: String) throws {
    self.init(try Self.content(of: fileBytes, file: name))
  }

  /// Makes a tokenizer of the bytes of a file in the format of Llama 3's `tokenizer.model` with another number of ranks.
  ///
  /// - Throws: `TokenizerError`.
  package convenience init(ranks bytes: [UInt8], count: Int, name: String) throws {
    self.init(try TiktokenReader(file: name, rankCount: count).read(bytes))
  }

  /// Writes the tokenizer as `tokenizer.json`, which Hugging Face `tokenizers` and `init(contentsOf:)` read.
  ///
  /// The format does not say which tokens begin a text, end it and pad it: a reader knows them by the template and by
  /// customary names, such as `<eos>`. What a `tokenizer_config.json` said beyond that is not written.
  ///
  /// - Parameter url: the file to write. It appears whole or not at all.
  /// - Throws: `TokenizerError.unwritable`.
  public func save(to url: URL) throws {
    try WholeFile.write(fileBytes(), to: url)
  }

  /// The bytes of the tokenizer's `tokenizer.json`.
  package func fileBytes() -> [UInt8] { TokenizerJSONWriter(tokenizer: self).write() }

  private static func content(of file: URL) throws -> TokenizerContent {
    try content(of: WholeFile.read(file), file: file.path)
  }

  /// A brace begins JSON, and no base64, which is what the other format begins with.
  private static func content(of bytes: [UInt8], file: String) throws -> TokenizerContent {
    guard let first = bytes.first(where: { !$0.isJSONPadding }) else {
      throw TokenizerError.malformed(file: file, reason: "it is empty")
    }
    return first == UInt8(ascii: "{")
      ? try TokenizerJSONReader(file: file).read(bytes) : try TiktokenReader(file: file).read(bytes)
  }
}

extension UInt8 {
  /// Whitespace, or part of the byte-order mark that some editors put first.
  fileprivate var isJSONPadding: Bool { [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains(self) }
}

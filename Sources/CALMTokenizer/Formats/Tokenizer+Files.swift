import Foundation

extension Tokenizer {
  /// Reads a tokenizer.
  ///
  /// - Parameter url: A Hugging Face `tokenizer.json`; a `tokenizer.model` of Llama 3 (ranks in tiktoken's format); or
  ///   a folder with one of these files, in which `tokenizer_config.json` may specify the special tokens.
  /// - Throws: ``TokenizerError``, also if the file uses unsupported features.
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

  /// Creates a tokenizer from the bytes of a `tokenizer.json` or `tokenizer.model`.
  ///
  /// - Parameter name: The file's name in errors.
  /// - Throws: ``TokenizerError``.
  package convenience init(fileBytes: [UInt8], name: String) throws {
    self.init(try Self.content(of: fileBytes, file: name))
  }

  /// Creates a tokenizer from the bytes of a file in the format of Llama 3's `tokenizer.model` with `count` ranks.
  ///
  /// - Throws: ``TokenizerError``.
  package convenience init(ranks bytes: [UInt8], count: Int, name: String) throws {
    self.init(try TiktokenReader(file: name, rankCount: count).read(bytes))
  }

  /// Writes the tokenizer as `tokenizer.json`, which Hugging Face `tokenizers` and `init(contentsOf:)` read.
  ///
  /// The format does not specify the beginning-of-text, end-of-text and padding tokens; readers infer them from the
  /// template and from conventional names such as `<eos>`. Other roles from a `tokenizer_config.json` are not written.
  ///
  /// - Parameter url: The file to write. It is written atomically.
  /// - Throws: ``TokenizerError/unwritable(file:reason:)``.
  public func save(to url: URL) throws {
    try WholeFile.write(fileBytes(), to: url)
  }

  /// The bytes of the tokenizer's `tokenizer.json`.
  package func fileBytes() -> [UInt8] { TokenizerJSONWriter(tokenizer: self).write() }

  private static func content(of file: URL) throws -> TokenizerContent {
    try content(of: WholeFile.read(file), file: file.path)
  }

  /// Detects the format: JSON starts with a brace, and the rank format with base64, which has no braces.
  private static func content(of bytes: [UInt8], file: String) throws -> TokenizerContent {
    guard let first = bytes.first(where: { !$0.isJSONPadding }) else {
      throw TokenizerError.malformed(file: file, reason: "it is empty")
    }
    return first == UInt8(ascii: "{")
      ? try TokenizerJSONReader(file: file).read(bytes) : try TiktokenReader(file: file).read(bytes)
  }
}

extension UInt8 {
  /// Whether the byte is whitespace or part of a byte-order mark.
  fileprivate var isJSONPadding: Bool { [0x20, 0x09, 0x0A, 0x0D, 0xEF, 0xBB, 0xBF].contains(self) }
}

import CALMSupport

/// Reads the beginning-of-text, end-of-text and padding tokens from a `tokenizer_config.json`.
///
/// The other members of the file configure Python classes and do not affect ids.
struct TokenizerConfigurationReader {
  /// The file's name in errors.
  let file: String

  func read(_ bytes: [UInt8], into content: inout TokenizerContent) throws {
    let root: JSONValue
    do {
      root = try JSONParser.parse(bytes)
    } catch {
      throw TokenizerError.malformed(file: file, reason: error.reason)
    }
    guard root.object != nil else { throw TokenizerError.malformed(file: file, reason: "it is not an object") }
    content.roles = TokenRoles(
      bos: try token("bos_token", in: root, of: content) ?? content.roles.bos,
      eos: try token("eos_token", in: root, of: content) ?? content.roles.eos,
      pad: try token("pad_token", in: root, of: content) ?? content.roles.pad)
  }

  /// The token given by the member `role` as `"<s>"` or `{"content": "<s>"}`; nil if it is absent or null.
  private func token(_ role: String, in root: JSONValue, of content: TokenizerContent) throws -> Int32? {
    guard let value = root[role], !value.isNull else { return nil }
    guard let name = value.string ?? value["content"]?.string else {
      throw TokenizerError.malformed(file: file, reason: "\(quoted(role)) is not a token")
    }
    guard let token = content.addedTokens.first(where: { $0.content.utf8.elementsEqual(name.utf8) }) else {
      let reason = "\(quoted(role)) is \(quoted(name)), which is not among the added tokens of the tokenizer"
      throw TokenizerError.malformed(file: file, reason: reason)
    }
    return token.id
  }
}

import CALMSupport
import CALMTokenizer
import Foundation

/// How the messages of a chat become a prompt.
package enum ChatForm: Hashable, Sendable {
  /// Instructions as they are, turns with `User:` and `Assistant:` before them, an empty line between two, and at the
  /// end `Assistant:`, which the model continues. For models without a template of a known form.
  case plain
  /// The turns of Llama 3: `<|start_header_id|>user<|end_header_id|>`, an empty line, the text, `<|eot_id|>`.
  case llama3
  /// The turns of ChatML: `<|im_start|>user`, a new line, the text, `<|im_end|>`, a new line.
  case chatML

  /// The form of a template, which is recognized by the special tokens that it names; plain for any other.
  ///
  /// What some templates add to the turns is left out: dates, tools, and default instructions.
  ///
  /// - Parameter tokenizer: has the special tokens of the form. Otherwise the form is plain.
  package init(template: String, tokenizer: Tokenizer) {
    self =
      [.llama3, .chatML].first { form in
        form.tokens.allSatisfy { template.contains($0) && tokenizer.id(of: $0) != nil }
      } ?? .plain
  }

  /// The special tokens around the turns.
  private var tokens: [String] {
    switch self {
    case .plain: []
    case .llama3: ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    case .chatML: ["<|im_start|>", "<|im_end|>"]
    }
  }

  /// The tokens with which the model ends an answer.
  func stopTokens(_ tokenizer: Tokenizer) -> Set<Int32> { Set(tokens.suffix(1).compactMap { tokenizer.id(of: $0) }) }

  /// The texts that end an answer.
  var stops: [String] { self == .plain ? ["\n\nUser:"] : [] }

  /// The ids of the messages and of the beginning of the answer. Names of special tokens in messages are ordinary text.
  func encode(_ messages: [ChatMessage], _ tokenizer: Tokenizer) -> [Int32] {
    func text(_ text: String) -> [Int32] { tokenizer.encode(text) }
    func token(_ index: Int) -> [Int32] { tokenizer.id(of: tokens[index]).map { [$0] } ?? [] }
    switch self {
    case .plain: return text(plainText(messages))
    case .llama3:
      func header(_ role: String) -> [Int32] { token(0) + text(role) + token(1) }
      // The template removes white space around a message, too.
      let turns = messages.map { message in
        header(message.role.turn) + text("\n\n" + message.text.trimmingCharacters(in: .whitespacesAndNewlines))
          + token(2)
      }
      return turns.flatMap { $0 } + header("assistant") + text("\n\n")
    case .chatML:
      // A special token divides the text, so the new line after a turn is encoded on its own.
      let turns = messages.map { token(0) + text("\($0.role.turn)\n\($0.text)") + token(1) + text("\n") }
      return turns.flatMap { $0 } + token(0) + text("assistant\n")
    }
  }

  private func plainText(_ messages: [ChatMessage]) -> String {
    let turns = messages.map { message in
      switch message.role {
      case .system, .developer: message.text
      case .user: "User: \(message.text)"
      case .assistant: "Assistant: \(message.text)"
      }
    }
    return (turns + ["Assistant:"]).joined(separator: "\n\n")
  }

  /// The template in the `tokenizer_config.json` of a model's folder; nil if there is none.
  ///
  /// A list of templates has one that is named `default`.
  static func template(in folder: URL) -> String? {
    guard let file = try? ReadableFile(path: folder.appendingPathComponent("tokenizer_config.json").path),
      file.size < 1 << 24, let bytes = try? file.bytes(in: 0..<file.size),
      let value = try? JSONParser.parse(Array(bytes))["chat_template"]
    else { return nil }
    return value.string ?? value.array?.first { $0["name"]?.string == "default" }?["template"]?.string
  }
}

extension ChatMessage.Role {
  /// The name of the role in a turn.
  fileprivate var turn: String { self == .developer ? "system" : rawValue }
}

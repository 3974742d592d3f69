import CALMTokenizer
import Foundation
import Testing

/// Compares with the ids of other implementations: `tokenizers` 0.23 for the `tokenizer.json` files and `tiktoken` 0.14
/// for Llama 3.
@Suite struct FixtureTests {
  private struct Case: Decodable {
    var text: String
    /// The ids with special tokens and without the template.
    var ids: [Int32]?
    /// The ids with special tokens and the template.
    var idsWithTemplate: [Int32]?
    /// The ids with special tokens treated as text.
    var ordinaryIDs: [Int32]?
    var decoded: String?
    var decodedWithoutSpecial: String?

    enum CodingKeys: String, CodingKey {
      case text, ids, decoded
      case idsWithTemplate = "ids_template"
      case ordinaryIDs = "ids_ordinary"
      case decodedWithoutSpecial = "decoded_skip_special"
    }
  }

  private func check(_ tokenizer: Tokenizer, _ cases: [Case]) throws {
    #expect(!cases.isEmpty)
    for item in cases {
      #expect(item.ids != nil || item.idsWithTemplate != nil, "a case without ids: \(item.text.debugDescription)")
      let withSpecial = tokenizer.encode(item.text, allowSpecial: true)
      let withTemplate = tokenizer.encode(item.text, allowSpecial: true, addTemplate: true)
      if let ids = item.ids { #expect(withSpecial == ids, "\(item.text.debugDescription)") }
      if let ids = item.idsWithTemplate { #expect(withTemplate == ids, "\(item.text.debugDescription)") }
      if let ids = item.ordinaryIDs { #expect(tokenizer.encode(item.text) == ids, "\(item.text.debugDescription)") }
      if let text = item.decoded {
        #expect(try tokenizer.decode(item.ids ?? withTemplate).utf8.elementsEqual(text.utf8))
      }
      if let text = item.decodedWithoutSpecial {
        #expect(try tokenizer.decode(item.ids ?? withTemplate, skipSpecial: true).utf8.elementsEqual(text.utf8))
      }
    }
  }

  @Test(
    "tokenizer.json files give the ids and texts of Hugging Face tokenizers",
    arguments: [
      "bytebpe", "llama-like", "prefix-space",
    ])
  func huggingFace(name: String) throws {
    let tokenizer = try Tokenizer(contentsOf: TestFiles.fixtures.appendingPathComponent("\(name).json"))
    try check(tokenizer, TestFiles.lines(of: TestFiles.fixtures.appendingPathComponent("\(name)-cases.jsonl")))
  }

  @Test(
    "A tokenizer.json has the same ids after saving and loading",
    arguments: [
      "bytebpe", "llama-like", "prefix-space",
    ])
  func resaved(name: String) throws {
    let tokenizer = try Tokenizer(contentsOf: TestFiles.fixtures.appendingPathComponent("\(name).json"))
    let again = try Tokenizer(fileBytes: tokenizer.fileBytes(), name: "again")
    #expect(again.contentHash == tokenizer.contentHash)
    #expect(again.addedTokens == tokenizer.addedTokens)
    #expect(again.fileBytes() == tokenizer.fileBytes())
    try check(again, TestFiles.lines(of: TestFiles.fixtures.appendingPathComponent("\(name)-cases.jsonl")))
  }

  @Test(
    "The tokenizer.model of Llama 3 gives the ids of tiktoken",
    .enabled(if: TestFiles.hasLlama, TestFiles.noLlama))
  func llama3() throws {
    let tokenizer = try Tokenizer(contentsOf: TestFiles.llamaModel)
    let cases = try TestFiles.lines(of: TestFiles.llamaCases, as: Case.self)
    try check(tokenizer, cases)
    for item in cases {
      #expect(try tokenizer.decodeBytes(item.ids ?? []) == Array(item.text.utf8))
    }
    #expect(tokenizer.vocabularySize == 128_256)
    #expect(tokenizer.id(of: "<|begin_of_text|>") == 128_000)
    #expect(tokenizer.id(of: "<|eot_id|>") == 128_009)
    #expect(tokenizer.id(of: "<|reserved_special_token_250|>") == 128_255)
    #expect(tokenizer.bosToken == 128_000)
    #expect(tokenizer.eosToken == 128_001)
    #expect(tokenizer.encode("a", addTemplate: true).first == 128_000)

    let padded = try tokenizer.withPadToken()
    #expect(padded.padToken == 128_256)
    #expect(padded.vocabularySize == 128_257)
  }

  @Test(
    "Llama 3 saved as tokenizer.json gives the same ids",
    .enabled(if: TestFiles.hasLlama, TestFiles.noLlama))
  func llama3AsJSON() throws {
    let original = try Tokenizer(contentsOf: TestFiles.llamaModel)
    let tokenizer = try Tokenizer(fileBytes: original.fileBytes(), name: "llama3.json")
    #expect(tokenizer.contentHash == original.contentHash)
    #expect(tokenizer.prefixTokens == original.prefixTokens)
    try check(tokenizer, TestFiles.lines(of: TestFiles.llamaCases))
  }
}

import CALMTokenizer
import Foundation
import Testing

/// Files in the format of Llama 3's `tokenizer.model`, with fewer ranks.
enum RankFile {
  /// The tokens of a trained tokenizer by rank.
  static func tokens() throws -> [[UInt8]] {
    var trainer = try BPETrainer(
      vocabularySize: 330, minimumFrequency: 1, splitPattern: .llama3, specialTokens: [])
    trainer.add(SampleText.prose)
    let tokenizer = try trainer.train()
    return try (0..<tokenizer.vocabularySize).map { try tokenizer.token(for: Int32($0)) }
  }

  static func bytes(_ tokens: [[UInt8]]) -> [UInt8] {
    let lines = tokens.enumerated().map { "\(Data($1).base64EncodedString()) \($0)\n" }
    return Array(lines.joined().utf8)
  }
}

@Suite struct RankFileTests {
  private func error(_ text: String, count: Int) -> String? {
    do {
      _ = try Tokenizer(ranks: Array(text.utf8), count: count, name: "tokenizer.model")
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("A rank file gives ids equal to ranks, followed by special tokens, and merges by rank")
  func ranks() throws {
    let tokens = try RankFile.tokens()
    let tokenizer = try Tokenizer(ranks: RankFile.bytes(tokens), count: tokens.count, name: "tokenizer.model")
    #expect(tokenizer.vocabularySize == tokens.count + 256)
    for (id, token) in tokens.enumerated() {
      #expect(try tokenizer.token(for: Int32(id)) == token)
      // A piece that is a token is encoded as that token.
      if SplitPattern.llama3.pieceLengths(of: token).count == 1 {
        #expect(tokenizer.encode(bytes: token) == [Int32(id)])
      }
    }
    #expect(tokenizer.bosToken == Int32(tokens.count))
    #expect(tokenizer.eosToken == Int32(tokens.count + 1))
    #expect(try tokenizer.decode(tokenizer.encode(SampleText.prose)) == SampleText.prose)
    #expect(tokenizer.encode("<|eot_id|>", allowSpecial: true) == [Int32(tokens.count + 9)])
    #expect(!tokenizer.encode("<|eot_id|>").contains(Int32(tokens.count + 9)))

    let again = try Tokenizer(fileBytes: tokenizer.fileBytes(), name: "again")
    #expect(again.contentHash == tokenizer.contentHash)
  }

  @Test("The error for a damaged rank file contains the line")
  func damaged() throws {
    let tokens = try RankFile.tokens()
    let lines = String(decoding: RankFile.bytes(tokens), as: UTF8.self).split(separator: "\n").map(String.init)
    func error(_ change: (inout [String]) -> Void) -> String? {
      var changed = lines
      change(&changed)
      return self.error(changed.joined(separator: "\n"), count: tokens.count)
    }
    #expect(error { _ in } == nil)
    #expect(error { $0.removeLast() }?.contains("\(tokens.count - 1) ranks") == true)
    #expect(error { $0.append("AAAA \(tokens.count)") }?.contains("more than") == true)
    #expect(error { $0.remove(at: 7) }?.contains("line 8 should have the rank 7") == true)
    #expect(error { $0[9] = "\(lines[8].split(separator: " ")[0]) 9" }?.contains("line 10 repeats") == true)
    for line in [
      "", "IQ==", "IQ== x", "IQ= 4", "IQ=== 4", "I!== 4", "=IQ= 4", "IR== 4", " 4", "IQ== 4 4",
      "IQ== 99999999999999999999",
    ] {
      #expect(error { $0[4] = line }?.contains("line 5") == true, "\(line)")
    }
    #expect(
      error { $0[0] = "\(Data("ab!".utf8).base64EncodedString()) 0" }?.contains("no token for the byte 33") == true)
    #expect(error { $0[300] = String($0[300].prefix(3)) }?.contains("line 301") == true)
  }

  @Test("A rank file without the 128,000 ranks of Llama 3 causes an error")
  func otherCount() throws {
    let bytes = RankFile.bytes(try RankFile.tokens())
    #expect { try Tokenizer(fileBytes: bytes, name: "tokenizer.model") } throws: { "\($0)".contains("128000") }
  }
}

import CALMCorpus
import CALMSupport
import Foundation

/// Accumulates the likelihood of chunks in memory proportional to the number of documents.
struct LikelihoodAccumulator {
  /// Sums of one document: nats, tokens, characters, bytes.
  private typealias Sums = SIMD4<Double>

  private var sums: [Int32: Sums] = [:]
  private let text: PackedSequences
  private let lengths: TokenLengths?

  /// - Parameters:
  ///   - text: the text that is scored.
  ///   - lengths: the lengths of its tokens; nil for none per character and byte.
  init(of text: PackedSequences, lengths: TokenLengths?) {
    (self.text, self.lengths) = (text, lengths)
  }

  /// Adds all chunks but the first of a sequence.
  ///
  /// - Parameter nats: the negative log-likelihoods of the chunks.
  mutating func add(_ nats: [Double], of sequence: EvaluationSequence) {
    let k = text.chunkSize
    precondition(nats.count == sequence.documents.count - 1, "\(nats.count) likelihoods of a sequence")
    for (chunk, value) in nats.enumerated() {
      let ids = sequence.ids[(chunk + 1) * k..<(chunk + 2) * k]
      var total = Sums(value, 0, 0, 0)
      for id in ids {
        let length = lengths?[id] ?? (bytes: 0, characters: 0)
        total += Sums(0, 1, Double(length.characters), Double(length.bytes))
        // The rest of the chunk is padding.
        if id == text.endOfText { break }
      }
      sums[sequence.documents[chunk + 1], default: .zero] += total
    }
  }

  /// The likelihood over the documents of all processes.
  ///
  /// - Parameter seed: the seed of the bootstrap.
  /// - Throws: ``EvaluationError/nothingPredicted(tokens:needed:)``, or an error of the other processes.
  func result(
    _ method: LikelihoodMethod, samples: Int?, seed: UInt64, shard: EvaluationShard
  ) throws -> TextLikelihood {
    let documents = try merged(over: shard)
    guard !documents.isEmpty else {
      throw EvaluationError.nothingPredicted(tokens: text.sequenceTokens, needed: 2 * text.chunkSize)
    }
    var generator = SeededGenerator(seed: seed)
    let means = Self.means(of: documents.reduce(.zero, +))
    let errors = ClusterBootstrap().standardErrors(clusters: documents.count, using: &generator) { multiplicities in
      Self.means(of: zip(documents, multiplicities).reduce(.zero) { $0 + $1.0 * Double($1.1) })
    }
    return TextLikelihood(
      method: method, samples: samples, natsPerToken: means[0], natsPerTokenStandardError: errors?[0],
      perplexity: exp(means[0]), bitsPerCharacter: lengths.map { _ in means[1] },
      bitsPerCharacterStandardError: lengths.flatMap { _ in errors?[1] }, bitsPerByte: lengths.map { _ in means[2] },
      bitsPerByteStandardError: lengths.flatMap { _ in errors?[2] },
      tokens: Int(documents.reduce(0) { $0 + $1[1] }), documents: documents.count,
      sequenceTokens: text.sequenceTokens)
  }

  /// Nats per token, bits per character and bits per byte.
  private static func means(of sums: Sums) -> [Double] {
    [sums[0] / sums[1], sums[0] / log(2) / sums[2], sums[0] / log(2) / sums[3]]
  }

  /// The sums of the documents of all processes, in the order of the documents.
  private func merged(over shard: EvaluationShard) throws -> [Sums] {
    let all = try shard.gathered(sums.flatMap { [Double($0), $1[0], $1[1], $1[2], $1[3]] })
    var merged: [Int: Sums] = [:]
    for start in stride(from: 0, to: all.count, by: 5) {
      merged[Int(all[start]), default: .zero] += Sums(all[start + 1..<start + 5])
    }
    return merged.sorted { $0.key < $1.key }.map(\.value)
  }
}

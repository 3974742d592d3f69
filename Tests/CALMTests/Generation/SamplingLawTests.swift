import CALM
import CALMSupport
import Foundation
import Testing
import Torch

/// The distribution of generated chunks, compared with a large sample of the model's distribution.
@Suite("The distribution of generated chunks")
struct SamplingLawTests {
  private static func makeModel() -> ContinuousLanguageModel {
    TinyGenerator.model(vocabulary: 6, chunkSize: 2, special: SpecialTokens(padding: 0), latentDeviation: 0.8)
  }

  private static let prompt: [Int32] = [2, 3, 4, 5]

  /// The counts of 300,000 sampled chunks after the prompt, by first token · 6 + second.
  private static let reference: [Int] = {
    let model = makeModel()
    let generator = Generator(seed: 99)
    var counts = [Int](repeating: 0, count: 36)
    for _ in 0..<15 {
      for chunk in model.chunks(after: prompt, count: 20_000, generator: generator) {
        counts[Int(chunk[0] * 6 + chunk[1])] += 1
      }
    }
    return counts
  }()

  private let model = makeModel()
  private let prompt = Self.prompt
  private let reference = Self.reference

  private func generate(
    _ prompt: [Int32], tokens: Int, temperature: Double, sequences: Int = 4_000,
    adjusting adjust: (inout GenerationOptions) -> Void = { _ in }
  ) throws -> [GeneratedSequence] {
    let options = try TinyGenerator.options(temperature: temperature) {
      $0.sequences = sequences
      $0.maximumTokens = tokens
      adjust(&$0)
    }
    return try ChunkGenerator(model, prompt: prompt, options: options).run()
  }

  private func counts(_ sequences: [GeneratedSequence]) -> [Int] {
    var counts = [Int](repeating: 0, count: 36)
    for sequence in sequences { counts[Int(sequence.tokens[0] * 6 + sequence.tokens[1])] += 1 }
    return counts
  }

  // The reference is 75 times as large as the samples, and its own error adds at most 1/T times as much: the
  // false-alarm rate of each chi-square test below is near 1e-4.

  @Test("at temperature 1, chunks follow the model's distribution")
  func temperatureOne() throws {
    let truth = reference.map(Double.init)
    #expect(truth.filter { $0 > 3_000 }.count >= 4, "the model is too certain to test anything")
    let counts = counts(try generate(prompt, tokens: 2, temperature: 1))
    #expect(ChiSquare.pValue(counts: counts, probabilities: truth.map { $0 / 300_000 }) > 1e-4)
  }

  @Test("the exact sampler follows P^(1/T)", arguments: [0.5, 0.75])
  func exact(temperature: Double) throws {
    let truth = try Temperature(temperature).applied(to: reference.map(Double.init))
    let sequences = try generate(prompt, tokens: 2, temperature: temperature, sequences: 2_000) {
      $0.sampler = .exact
      $0.maximumSamples = 1_000_000
    }
    #expect(ChiSquare.pValue(counts: counts(sequences), probabilities: truth) > 1e-4)
  }

  // 4,000 samples of 36 outcomes differ from their distribution by a total variation of about 0.02, plus the bias of
  // 200 candidates.
  @Test("the batch sampler approximates P^(1/T)", arguments: [0.5, 1 / 3.0])
  func batch(temperature: Double) throws {
    let outcomes = reference.map(Double.init)
    let truth = try Temperature(temperature).applied(to: outcomes)
    let counts = counts(try generate(prompt, tokens: 2, temperature: temperature))
    func distance(_ law: [Double]) -> Double {
      zip(counts, law).reduce(0) { $0 + abs(Double($1.0) / 4_000 - $1.1) } / 2
    }
    #expect(distance(truth) < 0.04)
    #expect(distance(try Temperature(1).applied(to: outcomes)) > 0.1)
  }

  // The first few candidates determine most chunks, and all 200 the others. False alarms: 1e-5 each.
  @Test(
    "the batch sampler chooses with the distribution of full decoding of all candidates", arguments: [0.5, 1 / 3.0])
  func batchLaw(temperature: Double) throws {
    let rule = BatchTemperatureRule(temperature: try Temperature(temperature))
    let noise = Generator(seed: 41)
    var selection = SeededGenerator(seed: 43)
    var expected = [Int](repeating: 0, count: 36)
    for _ in 0..<100 {
      let candidates = model.chunks(after: prompt, count: 20 * 200, generator: noise).map { $0[0] * 6 + $0[1] }
      for start in stride(from: 0, to: candidates.count, by: 200) {
        expected[Int(rule.select(from: candidates[start..<start + 200], using: &selection))] += 1
      }
    }
    let counts = counts(try generate(prompt, tokens: 2, temperature: temperature, sequences: 2_000))
    #expect(ChiSquare.pValue(counts, expected) > 1e-5)
  }

  @Test("after a partial prompt chunk, the exact sampler follows the conditional distribution", arguments: [1, 0.5])
  func conditional(temperature: Double) throws {
    // The most likely first token after which the next one is still uncertain.
    let first = try #require(
      (0..<6).filter { token in (0..<6).filter { reference[token * 6 + $0] > 1_500 }.count >= 2 }
        .max { a, b in reference[a * 6..<a * 6 + 6].reduce(0, +) < reference[b * 6..<b * 6 + 6].reduce(0, +) })
    let truth = try Temperature(temperature).applied(to: reference[first * 6..<first * 6 + 6].map(Double.init))
    let sequences = try generate(prompt + [Int32(first)], tokens: 1, temperature: temperature, sequences: 2_000) {
      $0.sampler = .exact
      $0.maximumSamples = 1_000_000
    }
    var counts = [Int](repeating: 0, count: 6)
    for sequence in sequences { counts[Int(sequence.tokens[0])] += 1 }
    #expect(sequences.allSatisfy { !$0.forcedPrefix && $0.chunks == 1 })
    #expect(ChiSquare.pValue(counts: counts, probabilities: truth) > 1e-4)
  }
}

import CALM
import CALMCorpus
import CALMSupport
import Foundation
import Testing

@Suite("BrierLM")
struct BrierLMTests {
  @Test("a perfect model scores 100, and a wrong one that repeats itself 0")
  func extremes() throws {
    var perfect = try BrierAccumulator()
    var repeating = try BrierAccumulator()
    for document in 0..<5 {
      perfect.add(samples: [[1, 2, 3, 4], [1, 2, 3, 4]], truth: [1, 2, 3, 4], document: document)
      repeating.add(samples: [[9, 9, 9, 9], [9, 9, 9, 9]], truth: [1, 2, 3, 4], document: document)
    }
    let best = try perfect.result()
    #expect(best.score == 100 && best.brier == [1, 1, 1, 1])
    #expect(best.scoreStandardError == 0 && best.brierStandardError == [0, 0, 0, 0])
    #expect(best.accuracy == [1, 1, 1, 1] && best.collision == [1, 1, 1, 1])
    // Four times −1: the product is 1, but the model deserves no score.
    let worst = try repeating.result()
    #expect(worst.score == 0 && worst.brier == [-1, -1, -1, -1])
  }

  @Test("BrierLM is 100 times the geometric mean")
  func geometricMean() {
    #expect(abs(BrierLM.score(ofBrier: SIMD4(0.4, 0.2, 0.1, 0.05)) - 100 * pow(0.0004, 0.25)) < 1e-12)
    #expect(BrierLM.score(ofBrier: SIMD4(0.4, 0.2, 0.1, 0)) == 0)
    #expect(BrierLM.score(ofBrier: SIMD4(0.4, 0.2, -0.1, -0.1)) == 0)
  }

  @Test("flat buffers, nested arrays and merged parts give the same result", arguments: [2, 5], [4, 8])
  func waysOfAdding(samples: Int, length: Int) throws {
    var generator = SeededGenerator(seed: 61)
    func continuation() -> [Int32] { (0..<length).map { _ in Int32(generator.uniform(below: 2)) } }
    let positions = 60
    let drawn = (0..<positions).map { _ in (0..<samples).map { _ in continuation() } }
    let truths = (0..<positions).map { _ in continuation() }
    let documents = (0..<positions).map { ($0 * 7) % 13 }

    var flat = try BrierAccumulator(samplesPerPosition: samples)
    flat.add(
      contentsOf: drawn.flatMap { $0.flatMap { $0 } }, truths: truths.flatMap { $0 }, documents: documents,
      length: length)
    var nested = try BrierAccumulator(samplesPerPosition: samples)
    var parts = [nested, nested]
    for index in 0..<positions {
      nested.add(samples: drawn[index], truth: truths[index], document: documents[index])
      parts[index < 40 ? 0 : 1].add(samples: drawn[index], truth: truths[index], document: documents[index])
    }
    parts[0].merge(parts[1])

    let result = try flat.result()
    #expect(try nested.result() == result)
    #expect(result.positions == positions && result.documents == 13)
    let merged = try parts[0].result()
    #expect(merged.documents == 13 && merged.positions == positions)
    #expect(zip(merged.brier, result.brier).allSatisfy { abs($0 - $1) < 1e-12 })
    let errors = try [merged, result].map { try #require($0.scoreStandardError) }
    #expect(abs(errors[0] - errors[1]) < 1e-9)
  }

  @Test("each position has the same weight, regardless of the length of its document")
  func positionsWeighTheSame() throws {
    var accumulator = try BrierAccumulator()
    for (document, value) in [(0, 1.0), (0, 1.0), (0, 1.0), (1, 0.0)] {
      accumulator.add(
        BrierScore(accuracy: SIMD4(repeating: value), collision: SIMD4(repeating: value)), document: document)
    }
    #expect(try accumulator.result().brier == [0.75, 0.75, 0.75, 0.75])
  }

  // The score of 200 documents of 20 positions each is simulated 300 times. The standard deviation of the scores has a
  // standard error of 4 %; that of the mean of the bootstrap's errors is far smaller. 20 % is five times as much.
  @Test("the bootstrap's standard error is the standard deviation of the score over corpora")
  func bootstrapMatchesSpread() throws {
    var generator = SeededGenerator(seed: 62)
    var scores: [Double] = []
    var errors: [Double] = []
    var naive: [Double] = []
    for corpus in 0..<300 {
      var accumulator = try BrierAccumulator()
      var squares = 0.0
      for document in 0..<200 {
        // Documents differ in how predictable they are, so that their positions are not independent.
        let skill = generator.uniform(below: 2) == 0 ? 0.2 : 0.8
        for _ in 0..<20 {
          let hit = Double(generator.uniform(below: 1_000)) < 1_000 * skill ? 1.0 : 0.0
          accumulator.add(
            BrierScore(accuracy: SIMD4(repeating: hit), collision: SIMD4(repeating: hit)), document: document)
          squares += hit
        }
      }
      let result = try accumulator.result(bootstrap: ClusterBootstrap(replicates: 200), seed: UInt64(corpus))
      scores.append(result.score)
      errors.append(try #require(result.scoreStandardError))
      naive.append(100 * (squares / 4_000 * (1 - squares / 4_000) / 4_000).squareRoot())
    }
    let mean = scores.reduce(0, +) / 300
    let spread = (scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 299).squareRoot()
    let bootstrap = errors.reduce(0, +) / 300
    #expect(abs(bootstrap / spread - 1) < 0.2)
    // Treating positions as independent would greatly underestimate it.
    #expect(naive.reduce(0, +) / 300 < 0.5 * spread)
  }

  @Test("the bootstrap gives the textbook standard error of a mean, even for few clusters")
  func bootstrapOfMean() throws {
    let values = [1.0, 4, 2, 8, 5]
    let mean = values.reduce(0, +) / 5
    let textbook = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4 / 5).squareRoot()
    var generator = SeededGenerator(seed: 63)
    let errors = ClusterBootstrap(replicates: 20_000).standardErrors(clusters: 5, using: &generator) { multiplicities in
      [zip(values, multiplicities).reduce(0) { $0 + $1.0 * Double($1.1) } / 5, 3]
    }
    // 20,000 replicates: a relative error of 0.5 %; 2.5 % is five times that.
    #expect(abs(try #require(errors)[0] / textbook - 1) < 0.025)
    #expect(errors?[1] == 0)
    #expect(ClusterBootstrap().standardErrors(clusters: 1, using: &generator) { _ in [1] } == nil)
  }

  @Test("the same seed gives the same standard errors")
  func repeatable() throws {
    var accumulator = try BrierAccumulator()
    for document in 0..<20 {
      let truth: [Int32] = [1, 2, 3, 4]
      accumulator.add(
        samples: [document % 3 == 0 ? [1, 2, 9, 9] : truth, [1, 2, 3, Int32(document)]], truth: truth,
        document: document)
    }
    #expect(try accumulator.result(seed: 5) == accumulator.result(seed: 5))
    #expect(try accumulator.result(seed: 5).scoreStandardError != accumulator.result(seed: 6).scoreStandardError)
    let result = try accumulator.result()
    #expect(try JSONDecoder().decode(BrierLM.self, from: JSONEncoder().encode(result)) == result)
  }

  @Test("one document has a score without a standard error; no document has neither")
  func fewDocuments() throws {
    var accumulator = try BrierAccumulator()
    #expect(throws: BrierError.noPositions) { try accumulator.result() }
    accumulator.add(samples: [[1, 2, 3, 4], [1, 2, 3, 4]], truth: [1, 2, 3, 4], document: 3)
    let result = try accumulator.result()
    #expect(result.score == 100 && result.scoreStandardError == nil && result.brierStandardError == nil)
  }

  // One z-test at |z| < 5, whose false-alarm rate is 6e-7.
  @Test("a closure can score a black-box sampler")
  func blackBox() throws {
    var generator = SeededGenerator(seed: 64)
    let outcomes = KnownContinuations.outcomes.map { $0.map { String($0) } }
    let truth = ["1", "1", "1", "1"]
    let positions = (0..<8_000).map { BrierPosition(truth: truth, document: $0) }
    let result = try BrierLM.estimate(positions: positions, samplesPerPosition: 4) { context, count in
      (0..<count).map { _ in outcomes[KnownContinuations.distribution.draw(using: &generator)] }
    }
    let exact = (1...4).map { KnownContinuations.brier(order: $0, truth: [1, 1, 1, 1]) }
    let score = BrierLM.score(ofBrier: SIMD4(exact))
    #expect(result.positions == 8_000 && result.documents == 8_000)
    #expect(abs(result.score - score) < 5 * (try #require(result.scoreStandardError)))
  }

  @Test("errors of a black-box sampler name the context")
  func badInput() throws {
    let positions = [BrierPosition(truth: [1, 2, 3, 4], document: 0), BrierPosition(truth: [1, 2], document: 1)]
    #expect(throws: BrierError.tooFewSamples(1)) {
      try BrierLM.estimate(positions: positions, samplesPerPosition: 1) { _, _ in [[1, 2, 3, 4]] }
    }
    #expect(throws: BrierError.wrongSampleCount(context: 0, expected: 2, got: 1)) {
      try BrierLM.estimate(positions: positions) { _, _ in [[1, 2, 3, 4]] }
    }
    #expect(throws: BrierError.shortContinuation(context: 0, count: 3)) {
      try BrierLM.estimate(positions: positions) { _, _ in [[1, 2, 3, 4], [1, 2, 3]] }
    }
    #expect(throws: BrierError.shortTruth(context: 1, count: 2)) {
      try BrierLM.estimate(positions: positions) { _, _ in [[1, 2, 3, 4], [1, 2, 3, 4]] }
    }
    #expect(throws: BrierError.noPositions) {
      try BrierLM.estimate(positions: [BrierPosition<Int>]()) { _, _ in [] }
    }
    let errors: [BrierError] = [
      .tooFewSamples(1), .noPositions, .shortTruth(context: 1, count: 2),
      .wrongSampleCount(context: 0, expected: 2, got: 1), .shortContinuation(context: 0, count: 3),
    ]
    for error in errors { #expect(!error.description.contains("\n")) }
  }
}

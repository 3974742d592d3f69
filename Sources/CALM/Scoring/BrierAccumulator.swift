import CALMCorpus
import CALMSupport

/// Accumulates Brier scores over the positions of a corpus, in memory proportional to the number of documents.
///
/// `BrierLM.estimate` is simpler for a model that a closure can sample. Use an accumulator to add scores one at a time,
/// or to merge those of several processes.
///
/// ```swift
/// var accumulator = try BrierAccumulator(samplesPerPosition: 2)
/// accumulator.add(samples: [[7, 1, 4, 4], [7, 1, 5, 2]], truth: [7, 1, 4, 9], document: 0)
/// let brierLM = try accumulator.result()
/// ```
public struct BrierAccumulator: Sendable {
  /// m, the number of samples per position.
  public let samplesPerPosition: Int

  /// Sums over the positions of one document.
  private struct DocumentSums {
    var accuracy = SIMD4<Double>.zero
    var collision = SIMD4<Double>.zero
    var positions = 0
  }

  private var sums: ContiguousArray<DocumentSums> = []
  private var slots: [Int: Int] = [:]

  /// - Parameter samplesPerPosition: m, at least 2.
  /// - Throws: `BrierError.tooFewSamples`.
  public init(samplesPerPosition: Int = 2) throws(BrierError) {
    guard samplesPerPosition >= 2 else { throw .tooFewSamples(samplesPerPosition) }
    self.samplesPerPosition = samplesPerPosition
  }

  /// The number of positions.
  public var positions: Int { sums.reduce(0) { $0 + $1.positions } }

  /// The number of documents that contain them.
  public var documents: Int { sums.count }

  /// Adds one position, given its samples.
  ///
  /// - Parameters:
  ///   - samples: m continuations of the model, each of at least 4 tokens; further tokens are ignored.
  ///   - truth: the continuation in the data, at least 4 tokens.
  ///   - document: the document that contains the position.
  public mutating func add<Token: Equatable>(samples: [[Token]], truth: [Token], document: Int) {
    precondition(
      samples.count == samplesPerPosition, "\(samplesPerPosition) samples expected, got \(samples.count)")
    add(BrierScore(samples: samples, truth: truth), document: document)
  }

  /// Adds one position, given its score.
  public mutating func add(_ score: BrierScore, document: Int) {
    add(score, slot: slot(of: document))
  }

  /// Adds many positions from flat buffers.
  ///
  /// - Parameters:
  ///   - samples: continuations of the model, [positions, m, length].
  ///   - truths: the continuations in the data, [positions, length].
  ///   - documents: the document that contains each position, [positions].
  ///   - length: the tokens of each continuation, at least 4; those after the fourth are ignored.
  public mutating func add(contentsOf samples: [Int32], truths: [Int32], documents: [Int], length: Int) {
    precondition(length >= BrierScore.maximumOrder, "continuations must have at least 4 tokens, got \(length)")
    precondition(
      truths.count == documents.count * length && samples.count == truths.count * samplesPerPosition,
      "\(documents.count) positions of \(samplesPerPosition) samples of \(length) tokens expected, "
        + "got \(samples.count) sampled and \(truths.count) true tokens")
    let stride = samplesPerPosition * length
    samples.withUnsafeBufferPointer { samples in
      truths.withUnsafeBufferPointer { truths in
        for (position, document) in documents.enumerated() {
          let score = BrierScore(
            samples: samples.extracting((position * stride)..<((position + 1) * stride)), stride: length,
            truth: truths.extracting((position * length)..<((position + 1) * length)))
          add(score, slot: slot(of: document))
        }
      }
    }
  }

  /// Adds the scores of another accumulator, such as one of another process. Equal document ids are the same document.
  public mutating func merge(_ other: BrierAccumulator) {
    for (document, otherSlot) in other.slots.sorted(by: { $0.value < $1.value }) {
      let slot = slot(of: document)
      sums[slot].accuracy += other.sums[otherSlot].accuracy
      sums[slot].collision += other.sums[otherSlot].collision
      sums[slot].positions += other.sums[otherSlot].positions
    }
  }

  /// The merged accumulators of all processes.
  func merged(over shard: EvaluationShard) throws -> BrierAccumulator {
    if shard.count == 1 { return self }
    let own = slots.sorted { $0.value < $1.value }.flatMap { document, slot in
      [Double(document), Double(sums[slot].positions)] + Self.lanes(sums[slot].accuracy)
        + Self.lanes(sums[slot].collision)
    }
    let all = try shard.gathered(own)
    var merged = try BrierAccumulator(samplesPerPosition: samplesPerPosition)
    for start in stride(from: 0, to: all.count, by: 10) {
      let slot = merged.slot(of: Int(all[start]))
      merged.sums[slot].positions += Int(all[start + 1])
      merged.sums[slot].accuracy += SIMD4(all[start + 2..<start + 6])
      merged.sums[slot].collision += SIMD4(all[start + 6..<start + 10])
    }
    return merged
  }

  /// The scores over all positions, each with the same weight.
  ///
  /// - Parameters:
  ///   - bootstrap: computes the standard errors.
  ///   - seed: the seed of the bootstrap.
  /// - Throws: `BrierError.noPositions`.
  public func result(bootstrap: ClusterBootstrap = ClusterBootstrap(), seed: UInt64 = 0) throws(BrierError) -> BrierLM {
    guard let total = mean(multiplicities: nil) else { throw .noPositions }
    var generator = SeededGenerator(seed: seed)
    let errors = bootstrap.standardErrors(clusters: sums.count, using: &generator) { multiplicities in
      let brier = mean(multiplicities: multiplicities)?.values ?? .zero
      return [brier[0], brier[1], brier[2], brier[3], BrierLM.score(ofBrier: brier)]
    }
    let brier = total.values
    return BrierLM(
      brier: Self.lanes(brier), brierStandardError: errors.map { Array($0.dropLast()) },
      score: BrierLM.score(ofBrier: brier), scoreStandardError: errors?.last,
      accuracy: Self.lanes(total.accuracy), collision: Self.lanes(total.collision),
      positions: positions, documents: documents)
  }

  private mutating func slot(of document: Int) -> Int {
    if let slot = slots[document] { return slot }
    slots[document] = sums.count
    sums.append(DocumentSums())
    return sums.count - 1
  }

  private mutating func add(_ score: BrierScore, slot: Int) {
    sums[slot].accuracy += score.accuracy
    sums[slot].collision += score.collision
    sums[slot].positions += 1
  }

  /// The mean over positions, with each document counted `multiplicities` times, or once; nil without positions.
  private func mean(multiplicities: [Int]?) -> BrierScore? {
    var accuracy = SIMD4<Double>.zero
    var collision = SIMD4<Double>.zero
    var positions = 0
    for (index, document) in sums.enumerated() {
      let times = multiplicities?[index] ?? 1
      accuracy += Double(times) * document.accuracy
      collision += Double(times) * document.collision
      positions += times * document.positions
    }
    guard positions > 0 else { return nil }
    return BrierScore(accuracy: accuracy / Double(positions), collision: collision / Double(positions))
  }

  private static func lanes(_ vector: SIMD4<Double>) -> [Double] { vector.indices.map { vector[$0] } }
}

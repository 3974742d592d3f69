import CALM
import Foundation
import Testing

@Suite("Numbers of the official code: Brier scores")
struct RecordedBrierTests {
  static let folders = RecordedCase.folders(with: ["input_ids", "brier.pred1", "brier.pred2", "brier4"])

  /// Brier-1 to Brier-4 of a recorded case whose chunks hold at least four tokens; nil for shorter chunks, where the
  /// recorded predictions alone do not give the collision term.
  private func brier(_ recorded: RecordedCase, chunkSize: Int, sequences: Int) throws -> BrierLM? {
    guard chunkSize >= BrierScore.maximumOrder else { return nil }
    let ids = recorded["input_ids"].map { Int32($0) }
    let length = ids.count / sequences
    let truths = (0..<sequences).flatMap { ids[($0 * length + chunkSize)..<(($0 + 1) * length)] }
    let predictions = ["brier.pred1", "brier.pred2"].map { recorded[$0].map { Int32($0) } }
    let positions = truths.count / chunkSize
    let samples = (0..<positions).flatMap { position in
      predictions.flatMap { $0[(position * chunkSize)..<((position + 1) * chunkSize)] }
    }
    var accumulator = try BrierAccumulator()
    accumulator.add(
      contentsOf: samples, truths: truths, documents: (0..<positions).map { $0 / (positions / sequences) },
      length: chunkSize)
    return try accumulator.result()
  }

  @Test("Brier-1 to Brier-4 of recorded predictions are the recorded ones", .enabled(if: !folders.isEmpty))
  func recordedPredictions() throws {
    var compared = 0
    for folder in Self.folders {
      let recorded = try RecordedCase(folder: folder)
      let meta = try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "meta.json")))
      guard
        let shapes = (meta as? [String: Any])?["shapes"] as? [String: [Any]],
        let shape = shapes["brier.pred1"]?.last as? [Int],
        let result = try brier(recorded, chunkSize: shape[2], sequences: shape[0])
      else { continue }
      for order in 1...4 { #expect(abs(result.brier[order - 1] - recorded["brier\(order)"][0]) < 1e-6) }
      compared += 1
    }
    #expect(compared > 0)
  }
}

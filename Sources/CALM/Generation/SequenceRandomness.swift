import CALMCorpus
import CALMSupport
import Torch

/// The random numbers of one sequence. No other sequence uses them, so the result does not depend on the number of
/// sequences.
package final class SequenceRandomness {
  /// The source of the head's noise.
  package let noise: Generator
  /// The source of randomness for the choice among candidates.
  package var selection: SeededGenerator
  /// The number of chunks sampled so far.
  package var samples = 0
  /// The probability that the first candidates determine a chunk: a moving average over the latest chunks.
  private(set) var settledEarly = 1.0

  /// - Parameters:
  ///   - seed: the seed of all sequences.
  ///   - sequence: the index of this one.
  package init(seed: UInt64, sequence: Int, device: Device) {
    selection = SeededGenerator(seed: seed, stream: UInt64(sequence))
    noise = Generator(seed: selection.next(), device: device)
  }

  /// Updates the probability that the first candidates determine a chunk.
  func learn(settledEarly chance: Double) {
    settledEarly += (chance - settledEarly) / 4
  }
}

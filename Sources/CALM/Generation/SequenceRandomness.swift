import CALMCorpus
import CALMSupport
import Torch

/// The random numbers of one sequence: its own, so that it does not depend on how many others are generated with it.
package final class SequenceRandomness {
  /// For the head's noise.
  package let noise: Generator
  /// For the choice among draws.
  package var selection: SeededGenerator
  /// How often the first draws settled the latest chunks, or would have: a moving average.
  private(set) var settledEarly = 1.0

  /// - Parameters:
  ///   - seed: of all sequences.
  ///   - sequence: the number of this one.
  package init(seed: UInt64, sequence: Int, device: Device) {
    selection = SeededGenerator(seed: seed, stream: UInt64(sequence))
    noise = Generator(seed: selection.next(), device: device)
  }

  /// Learns how likely the first draws were to settle a chunk.
  func learn(settledEarly chance: Double) {
    settledEarly += (chance - settledEarly) / 4
  }
}

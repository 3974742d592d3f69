import CALMSupport
import Foundation
import Torch

/// Notices that other programs use the processors on which a training computes.
///
/// On free processors, threads wait for each other best by spinning. If another program computes on one of them, a
/// spinning thread keeps it from the thread that it waits for: see ``Runtime/shortenWaits()``.
struct ProcessorShare {
  /// Below this share of the threads' time, the processors are not free. Measured on two cores: 0.99 on free ones, 0.82
  /// if another program uses one core half of the time, 0.61 if it uses it all the time.
  private static let leastFree = 0.9

  private var elapsed = 0.0
  private var used = 0.0

  /// Runs a training step. Once the steps show that the processors are not free, waits are shortened.
  mutating func observing<Result>(_ step: () throws -> Result) rethrows -> Result {
    let (began, before) = (ContinuousClock.now, Self.processorSeconds)
    let result = try step()
    elapsed += (ContinuousClock.now - began).seconds
    used += Self.processorSeconds - before
    if elapsed >= 2 {
      if used < Self.leastFree * elapsed * Double(Runtime.threads) { Runtime.shortenWaits() }
      (elapsed, used) = (0, 0)
    }
    return result
  }

  /// The time of all threads of this process so far. POSIX counts it in millionths of a second.
  private static var processorSeconds: Double { Double(clock()) / 1_000_000 }
}

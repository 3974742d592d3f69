import Foundation
import Torch

/// The cosines and sines of the rotary embedding, for positions 0, 1, ….
///
/// Position p turns pair i of a head of size d by p·θ^(−2i/d), with the frequency scaled by ``RopeScaling``.
package final class RotaryAngles {
  private let headSize: Int
  private let theta: Double
  private let scaling: RopeScaling
  private var cosine = Tensor.zeros([0, 0])
  private var sine = Tensor.zeros([0, 0])

  package init(headSize: Int, theta: Double, scaling: RopeScaling = .none) {
    (self.headSize, self.theta, self.scaling) = (headSize, theta, scaling)
  }

  /// The angles of `count` positions, starting at `start`: two tensors, [count, headSize / 2].
  package func callAsFunction(from start: Int, count: Int, device: Device) -> (cosine: Tensor, sine: Tensor) {
    if cosine.shape[0] < start + count || cosine.device != device { extend(to: start + count, device: device) }
    return (cosine.narrowed(0, start..<start + count), sine.narrowed(0, start..<start + count))
  }

  private func extend(to positions: Int, device: Device) {
    let rounded = (positions + 255) / 256 * 256
    let half = headSize / 2
    // The frequencies are float32 as in the official code: the difference affects the angles of far positions.
    let frequencies = (0..<half).map {
      scaling(1 / powf(Float(theta), Float(2 * $0) / Float(headSize)))
    }
    let angles = (0..<rounded).flatMap { position in frequencies.map { Float(position) * $0 } }
    cosine = Tensor(angles.map { cosf($0) }, shape: [rounded, half], device: device)
    sine = Tensor(angles.map { sinf($0) }, shape: [rounded, half], device: device)
  }
}

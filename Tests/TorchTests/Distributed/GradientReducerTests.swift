import Foundation
import TestSupport
import Testing
import Torch

@Suite struct GradientReducerTests {
  /// Gradients of Σ (x·a)² · b for the rows of x of one process, with buckets small enough that there are several.
  private static func gradients(of rows: Range<Int>, over group: ProcessGroup?, parts: Int = 1) throws -> [[Double]] {
    let generator = Generator(seed: 3)
    let x = generator.normal([12, 8]).narrowed(0, rows)
    let parameters = [generator.normal([8, 5]), generator.normal([5]), generator.normal([7])]
    for parameter in parameters { parameter.requiresGradient = true }
    let reducer = group.map { GradientReducer(parameters, over: $0, bucketBytes: 64) }
    var results: [[Double]] = []
    for _ in 0..<2 {
      let size = rows.count / parts
      for part in 0..<parts {
        // The third parameter is unused, so it has no gradient in any process.
        let loss =
          (matmul(x.narrowed(0, part * size..<(part + 1) * size), parameters[0]).squared() * parameters[1])
          .sum() / Double(rows.count)
        if part == parts - 1 { reducer?.begin() }
        loss.backward()
      }
      _ = try reducer?.finish()
      #expect(parameters[2].gradient == nil)
      results.append(parameters[0].gradient!.elements() + parameters[1].gradient!.elements())
      for parameter in parameters { parameter.gradient = nil }
    }
    return results
  }

  @Test("gradients averaged over processes equal those of the whole batch in every step", arguments: [1, 2])
  func average(parts: Int) throws {
    let whole = try Self.gradients(of: 0..<12, over: nil)
    for count in [2, 3] {
      let shared = try inGroup(of: count) { group in
        let share = 12 / count
        return try Self.gradients(of: group.rank * share..<(group.rank + 1) * share, over: group, parts: parts)
      }
      for result in shared {
        #expect(result == shared[0] && result.count == whole.count)
        for (one, other) in zip(result, whole) { expectClose(one, other, within: 1e-6) }
      }
    }
  }

  @Test("the waiting time of a gradient reducer is at most its communication time")
  func traffic() throws {
    let traffic = try inGroup(of: 2) { group in
      let parameter = Tensor.ones([100_000])
      parameter.requiresGradient = true
      let reducer = GradientReducer([parameter], over: group)
      reducer.begin()
      parameter.squared().sum().backward()
      return try reducer.finish()
    }
    for one in traffic {
      #expect(one.communicating > 0)
      #expect(one.waited >= 0 && one.waited <= one.communicating)
    }
  }
}

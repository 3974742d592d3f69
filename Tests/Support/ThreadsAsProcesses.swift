import Foundation
import Synchronization
import Torch

/// Runs `body` on `count` threads, each as one process of a group, and returns the results by rank.
///
/// - Parameter onGPUs: whether each process uses the GPU of its rank.
package func inGroup<Result: Sendable>(
  of count: Int, onGPUs: Bool = false, timeout: Duration = .seconds(20),
  _ body: @escaping @Sendable (ProcessGroup) throws -> Result
) throws -> [Result] {
  guard let port = ProcessGroup.freePort() else { throw NoFreePort() }
  let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
  let done = DispatchGroup()
  for rank in 0..<count {
    done.enter()
    Thread {
      Runtime.threads = 1
      let result = Swift.Result {
        try body(
          ProcessGroup(
            host: "127.0.0.1", port: port, rank: rank, count: count, device: onGPUs ? .cuda(rank) : .cpu,
            timeout: timeout))
      }
      results.withLock { $0[rank] = result }
      done.leave()
    }.start()
  }
  done.wait()
  return try results.withLock { results in try (0..<count).map { try results[$0]!.get() } }
}

/// This machine has no free port.
private struct NoFreePort: Error {}

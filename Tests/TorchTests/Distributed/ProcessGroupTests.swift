import Foundation
import TestSupport
import Testing
import Torch

/// Whether this machine has an NVIDIA GPU and libtorch has NCCL.
private let hasNCCL = (try? CUDA.loadNCCL()) != nil

@Suite struct ProcessGroupTests {
  @Test(
    "a process group gives every process the same sum, in every type", arguments: [DType.float32, .bfloat16, .float64])
  func sum(dtype: DType) throws {
    let sums = try inGroup(of: 3) { group in
      let tensor = Tensor.full([5], Double(group.rank + 1), dtype: dtype)
      try group.sum(tensor)
      return tensor.elements(as: Double.self)
    }
    #expect(sums == Array(repeating: Array(repeating: 6, count: 5), count: 3))
  }

  @Test("operations of a process group that started together can be awaited in any order")
  func work() throws {
    let sums = try inGroup(of: 2) { group in
      let tensors = (0..<4).map { Tensor.full([1000], Double($0)) }
      let work = try tensors.map { try group.beginSum($0) }
      for item in work.reversed() { try item.wait() }
      return tensors.map { $0.elements(as: Double.self)[999] }
    }
    #expect(sums == [[0, 2, 4, 6], [0, 2, 4, 6]])
  }

  @Test("broadcast sends one process's tensor to all processes, and gather collects all tensors in each")
  func broadcastAndGather() throws {
    let results = try inGroup(of: 3) { group in
      let tensor = Tensor.full([2], Double(group.rank))
      let all = try group.gather(tensor)
      try group.broadcast(tensor, from: 2)
      try group.barrier()
      return (all.shape, all.elements(as: Double.self), tensor.elements(as: Double.self))
    }
    for result in results {
      #expect(result.0 == [3, 2])
      #expect(result.1 == [0, 0, 1, 1, 2, 2])
      #expect(result.2 == [2, 2])
    }
  }

  @Test(
    "a process group with GPUs accepts GPU and CPU tensors",
    .enabled(if: hasNCCL, "this machine has no NVIDIA GPU, or its libtorch has no NCCL"))
  func onGPUs() throws {
    let count = min(2, CUDA.deviceCount)
    let sums = try inGroup(of: count, onGPUs: true) { group in
      try [Device.cpu, .cuda(group.rank)].map { device in
        let tensor = Tensor.full([2], Double(group.rank + 1), device: device)
        try group.sum(tensor)
        return try group.gather(tensor).elements(as: Double.self)
      }
    }
    let sum = count == 1 ? 1.0 : 3.0
    for result in sums { #expect(result == Array(repeating: Array(repeating: sum, count: 2 * count), count: 2)) }
  }

  @Test(
    "creating a process group with GPUs on a machine without them fails with one line",
    .enabled(if: !hasNCCL, "this machine has an NVIDIA GPU"))
  func withoutGPUs() throws {
    let port = try #require(ProcessGroup.freePort())
    let error = #expect(throws: ProcessGroupError.self) {
      try ProcessGroup(host: "127.0.0.1", port: port, rank: 0, count: 1, device: .cuda(0))
    }
    let line = error.map { "\($0)" } ?? ""
    #expect(line.hasPrefix("127.0.0.1:\(port): the processes cannot connect: ") && !line.contains("\n"), "\(line)")
  }

  @Test("a process group reports an exited process to the others")
  func lost() throws {
    let errors = try inGroup(of: 2) { group -> String in
      if group.rank == 1 { return "left" }
      do {
        while true { try group.barrier() }
      } catch {
        return "\(error)"
      }
    }
    #expect(errors[0].hasPrefix("another process of this run exited; resume from the last checkpoint"))
    #expect(!errors[0].contains("\n"))
  }

  @Test("a process group reports an unresponsive process after the timeout")
  func late() throws {
    let errors = try inGroup(of: 2, timeout: .seconds(1)) { group -> String in
      do {
        try group.barrier()
        if group.rank == 1 { Thread.sleep(forTimeInterval: 3) } else { try group.barrier() }
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(errors[0].hasPrefix("another process of this run did not respond in time"))
  }

  @Test("a missing process, a port in use and an unknown host are reported with the address")
  func absent() throws {
    let port = try #require(ProcessGroup.freePort())
    func failure(_ host: String, rank: Int) -> String {
      do throws(ProcessGroupError) {
        _ = try ProcessGroup(host: host, port: port, rank: rank, count: 2, timeout: .seconds(1))
        return ""
      } catch {
        return "\(error)"
      }
    }
    for rank in 0..<2 {
      let alone = failure("127.0.0.1", rank: rank)
      #expect(alone.hasPrefix("process \(rank): not all 2 processes joined at 127.0.0.1:\(port) within 1 s"))
      // The reason does not contain the location in libtorch's source.
      #expect(!alone.contains("[/") && !alone.contains("\n"))
    }
    let listener = try Listener(port: port)
    defer { listener.stop() }
    #expect(failure("127.0.0.1", rank: 0).hasPrefix("127.0.0.1:\(port): the port is in use"))
  }
}

/// Listens at a port and never responds.
private struct Listener {
  private let descriptor: Int32

  init(port: Int) throws {
    #if canImport(Glibc)
      descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
    #else
      descriptor = socket(AF_INET6, SOCK_STREAM, 0)
    #endif
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = UInt16(port).bigEndian
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
    try #require(bound == 0 && listen(descriptor, 1) == 0)
  }

  func stop() { close(descriptor) }
}

import CTorch
import Foundation
import Testing
import Torch

@Suite("The caching allocator", .serialized) struct CachingAllocatorTests {
  init() { Runtime.tuneAllocator() }

  @Test("the caching allocator gives tensors that exist at the same time separate memory, at any size")
  func liveTensorsAreApart() {
    // Sizes around the boundaries of the size classes: 512 bytes, and eighths of powers of two.
    let counts = [1, 127, 128, 129, 144, 145, 255, 256, 257, 1151, 1152, 1153, 4096, 100_003]
    for round in 1...3 {
      let tensors = counts.enumerated().map { index, count in
        Tensor([Float](repeating: Float(round * 100 + index), count: count))
      }
      for (index, tensor) in tensors.enumerated() {
        #expect(tensor.elements(as: Float.self).allSatisfy { $0 == Float(round * 100 + index) })
      }
    }
  }

  @Test("the caching allocator supports tensors without elements")
  func empty() {
    #expect(Tensor.zeros([0, 7]).elements(as: Float.self).isEmpty)
  }

  #if os(Linux)
    @Test("the caching allocator keeps at most a quarter of the peak memory, even after a failed allocation")
    func keepsLittle() throws {
      // 32 TiB, which no machine has. If this counted as used, the cache could keep 8 TiB.
      var refused: ct_tensor?
      let cpu = ct_device(type: CT_CPU, index: 0)
      #expect(ct_empty(&refused, [1 << 45], 1, CT_UINT8, cpu) != 0)
      #expect(String(cString: ct_last_error()).contains("out of memory"))
      func resident() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return Int(fields[1])! * Int(sysconf(Int32(_SC_PAGESIZE))) >> 20
      }
      let before = try resident()
      // Every size is used once. If the cache kept them all, they would add up to 3.3 GB.
      for mebibytes in stride(from: 4, through: 160, by: 4) {
        _ = Tensor.zeros([mebibytes << 18]) + 1
      }
      // Two tensors of up to 160 MiB at once, an eighth for rounding, a quarter for the cache. Other suites run too.
      #expect(try resident() - before < 700)
    }
  #endif
}

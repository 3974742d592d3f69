import Foundation
import Testing
import Torch

@Suite("Runtime") struct RuntimeTests {
  @Test("A thread that flushes denormal numbers does so in its parallel loops", arguments: [false, true])
  func denormals(areFlushed: Bool) async {
    typealias Result = (isSupported: Bool, bits: Set<UInt32>)
    let (isSupported, bits) = await withCheckedContinuation { (result: CheckedContinuation<Result, Never>) in
      Thread {
        let isSupported = areFlushed && Runtime.flushDenormals()
        // Many enough for all threads.
        let tiny = Tensor(Array(repeating: Float(bitPattern: 0x0040_0000), count: 1 << 20))
        // The bits, because comparisons take denormal numbers for zero as well.
        result.resume(returning: (isSupported, Set((tiny * 0.5).elements(as: Float.self).map(\.bitPattern))))
      }.start()
    }
    #expect(bits == (isSupported ? [0] : [0x0020_0000]))
    #if arch(x86_64)
      #expect(isSupported == areFlushed)
    #endif
  }
}

import Testing
import Torch

@Suite("Devices")
struct DeviceTests {
  @Test("a device is parsed from its description", arguments: ["cpu"])
  func words(word: String) throws {
    #expect(try Device(parsing: word).description == word)
    #expect(Device.cuda(3).description == "cuda:3" && Device.mps.description == "mps")
  }

  @Test(
    "unknown device names throw an error",
    arguments: ["", "gpu", "CPU", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "mps:0", "cuda:0:0"])
  func otherWords(word: String) {
    #expect(throws: DeviceError.unknown(word)) { try Device(parsing: word) }
  }

  @Test("an unavailable device throws an error with the reason")
  func absent() {
    do {
      // No machine has this many GPUs.
      _ = try Device(parsing: "cuda:4000")
      Issue.record("not refused")
    } catch {
      #expect("\(error)".hasPrefix("device 'cuda") && "\(error)".contains("is unavailable: "))
      #expect(!"\(error)".contains { $0.isNewline })
    }
  }
}

import Testing
import Torch

@Suite("Devices")
struct DeviceTests {
  @Test("a device is read from the word that it prints", arguments: ["cpu"])
  func words(word: String) throws {
    #expect(try Device(parsing: word).description == word)
    #expect(Device.cuda(3).description == "cuda:3" && Device.mps.description == "mps")
  }

  @Test(
    "other words are refused",
    arguments: ["", "gpu", "CPU", "cpu:0", "cuda:", "cuda:x", "cuda:-1", "mps:0", "cuda:0:0"])
  func otherWords(word: String) {
    #expect(throws: DeviceError.unknown(word)) { try Device(parsing: word) }
  }

  @Test("a device that is not here is refused with the reason")
  func absent() {
    do {
      // No machine has so many.
      _ = try Device(parsing: "cuda:4000")
      Issue.record("not refused")
    } catch {
      #expect("\(error)".hasPrefix("device 'cuda") && "\(error)".contains("cannot be used: "))
      #expect(!"\(error)".contains { $0.isNewline })
    }
  }
}

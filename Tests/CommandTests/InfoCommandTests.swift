import Foundation
import Testing

@Suite("calm info and calm doctor")
struct InfoCommandTests {
  @Test("a preset's figures, and the training of a number of tokens")
  func preset() throws {
    let figures = try Command.run(["info", "calm-m", "--tokens", "2.5k", "--json"]).json()
    #expect(figures["parameters"] as? Int == 371_732_608)
    let perToken = try #require(figures["training_flops_per_token"] as? Double)
    #expect(figures["training_flops"] as? Double == perToken * 2500)
    let text = try Command.run(["info", "calm-m"]).text
    #expect(text.contains("371.7 M") && text.contains("energy head"))
  }

  @Test("without a model, all presets beside the paper's figures")
  func allPresets() throws {
    let result = try Command.run(["info"])
    let rows = result.text.split(separator: "\n")
    #expect(rows.contains { $0.hasPrefix("calm-xl") && $0.contains("1.82 B") })
    #expect(rows.contains { $0.hasPrefix("transformer-s") && $0.contains("6.60e20") })
  }

  @Test("a model folder")
  func folder() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      #"{"architectures": ["Autoencoder"], "vocab_size": 128257, "patch_size": 4, "latent_size": 128}"#, "config.json")
    let figures = try Command.run(["info", folder.url.path, "--json"]).json()
    #expect(figures["parameters"] as? Int == 75_832_064)
  }

  @Test("a mistyped preset names those that are near")
  func suggestions() throws {
    expectFailure(try Command.run(["info", "calm-n"]), saying: "calm-n", "did you mean calm-m")
    expectFailure(try Command.run(["info", "transfomer-s"]), saying: "did you mean transformer-s")
    expectFailure(try Command.run(["info", "zebra"]), saying: "calm-m, calm-l, calm-xl, transformer-s")
  }

  @Test("a folder that is no model")
  func notAModel() throws {
    let folder = try TemporaryFolder()
    expectFailure(try Command.run(["info", folder.url.path]), saying: folder.url.lastPathComponent, "config.json")
    try folder.write(#"{"architectures": ["Autoencoder"], "vocab_size": -1}"#, "config.json")
    expectFailure(try Command.run(["info", folder.url.path]), saying: "config.json", "vocab_size")
  }

  @Test("doctor reports libtorch, devices and rates")
  func doctor() throws {
    let machine = try Command.run(["doctor", "--threads", "1", "--json"]).json()
    let devices = try #require(machine["devices"] as? [[String: Any]])
    #expect(devices.compactMap { $0["name"] as? String } == ["cpu", "cuda", "mps"])
    let nccl = try #require(machine["nccl"] as? [String: Any])
    for device in devices + [nccl] where device["is_available"] as? Bool == false {
      #expect((device["reason"] as? String)?.isEmpty == false)
    }
    #expect(machine["threads"] as? Int == 1)
    let rates = try #require(machine["rates"] as? [[String: Any]])
    #expect(rates.allSatisfy { $0["gigaflops_per_second"] as? Double ?? 0 > 0 })
  }
}

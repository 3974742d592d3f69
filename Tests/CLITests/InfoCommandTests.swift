import Foundation
import Testing

@Suite("calm info and calm doctor")
struct InfoCommandTests {
  @Test("a preset's results, and the training of a number of tokens")
  func preset() throws {
    let results = try Command.run(["info", "calm-m", "--tokens", "2.5k", "--json"]).json()
    #expect(results["parameters"] as? Int == 371_732_608)
    let perToken = try #require(results["training_flops_per_token"] as? Double)
    #expect(results["training_flops"] as? Double == perToken * 2500)
    let text = try Command.run(["info", "calm-m"]).text
    #expect(text.contains("371.7 M") && text.contains("energy head"))
  }

  @Test("without a model, all presets beside the paper's results")
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
    let results = try Command.run(["info", folder.url.path, "--json"]).json()
    #expect(results["parameters"] as? Int == 75_832_064)
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

  @Test("the plan of a training, as text and as JSON")
  func plan() throws {
    let arguments = ["info", "calm-l", "--plan", "230B", "--devices", "64", "--rate", "989"]
    let text = try Command.run(arguments).text
    #expect(text.contains("230.00 B tokens on 64 devices of 989 TFLOP/s, of which 40 % are reached, in bfloat16"))
    #expect(text.contains("expected restarts") && text.contains("Assumed: 50 GB/s"))
    let one = try Command.run(arguments + ["--json"]).json()
    let two = try Command.run(arguments + ["--json", "--devices", "128", "--shard-optimizer"]).json()
    let hours = try [one, two].map { try #require($0["computing_hours"] as? Double) }
    #expect(abs(hours[0] / hours[1] - 2) < 1e-12)
    let results = try Command.run(["info", "calm-l", "--tokens", "230B", "--json"]).json()
    #expect(one["model_flops"] as? Double == results["training_flops"] as? Double)
    let memory = try [one, two].map { try #require($0["memory_bytes"] as? Int) }
    #expect(memory[0] > memory[1])
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
    #expect(!rates.isEmpty && rates.allSatisfy { $0["gigaflops_per_second"] as? Double ?? 0 > 0 })
  }

  #if os(Linux) && arch(x86_64)
    @Test("CALM_CPU=baseline holds the program and libtorch to the baseline, and doctor says so")
    func limitedProcessor() throws {
      let folder = try TemporaryFolder()
      // At another level the tests themselves have limited the libraries, which this process would inherit.
      let script =
        "env -u ATEN_CPU_CAPABILITY -u ONEDNN_MAX_CPU_ISA -u MKL_ENABLE_INSTRUCTIONS CALM_CPU=baseline "
        + "$CALM doctor --threads 1 --json"
      let machine = try Command.shell(script, in: folder.url).json()
      let processor = try #require(machine["processor"] as? [String: Any])
      #expect(processor["level"] as? String == "baseline")
      #expect(processor["limit"] as? String == "CALM_CPU=baseline")
      #expect((processor["features"] as? [String])?.isEmpty == true)
      #expect((machine["precision"] as? [String: Any])?["auto"] as? String == "float32")
      let build = try #require((machine["libtorch"] as? [String: Any])?["build"] as? [String])
      if processor["machine_level"] as? String != "baseline" {
        #expect(build.contains("CPU capability usage: DEFAULT"))
      }
    }

    @Test("a variable of a library that the user has set is not changed by CALM_CPU")
    func ownLimit() throws {
      let folder = try TemporaryFolder()
      let script = "ATEN_CPU_CAPABILITY=default CALM_CPU=avx2 $CALM doctor --threads 1 --json"
      let libtorch = try #require(try Command.shell(script, in: folder.url).json()["libtorch"] as? [String: Any])
      #expect((libtorch["build"] as? [String])?.contains("CPU capability usage: DEFAULT") == true)
    }
  #endif

  @Test("an unknown value of CALM_CPU ends every command with one line")
  func unknownLimit() throws {
    let folder = try TemporaryFolder()
    for command in ["doctor", "info", "--version"] {
      let result = try Command.shell("CALM_CPU=avx1024 $CALM \(command)", in: folder.url)
      expectFailure(result, saying: "CALM_CPU", "avx1024", "baseline, avx2, avx512, amx")
    }
  }
}

import Testing
import Torch

@Suite("Processor and precision")
struct ProcessorTests {
  private let plain = Processor(model: "A", flags: ["fpu", "avx2", "fma"])
  private let vectors = Processor(
    model: "B", flags: ["avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"])
  private let tiles = Processor(model: "C", flags: ["avx2", "fma", "amx_tile", "amx_bf16"])
  private let arm = Processor(model: "D", flags: ["asimd", "sve", "bf16"])

  @Test("processor features are parsed from the system's flags")
  func features() {
    #expect(plain.features == [.avx2])
    #expect(vectors.features == [.avx2, .avx512, .avx512BFloat16])
    #expect(tiles.features == [.avx2, .amx])
    #expect(arm.features == [.neon, .sve, .armBFloat16])
    #expect(Processor(model: "", flags: ["amx_tile"]).features.isEmpty)
  }

  @Test("a level limit excludes the features of higher levels, but not those of other architectures")
  func limits() {
    let flags: Set = [
      "avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16", "amx_tile", "amx_bf16", "asimd",
    ]
    func features(_ limit: Processor.Level) -> Set<Processor.Feature> {
      Processor(model: "", flags: flags, limit: limit).features
    }
    #expect(features(.baseline) == [.neon])
    #expect(features(.avx2) == [.neon, .avx2])
    #expect(features(.avx512) == [.neon, .avx2, .avx512, .avx512BFloat16])
    #expect(features(.amx) == [.neon, .avx2, .avx512, .avx512BFloat16, .amx])
  }

  @Test("the processor level in use is the lower of the machine's level and the limit")
  func level() {
    let limit = Processor.Level.limit.flatMap(Processor.Level.init) ?? .amx
    #expect(Processor.Level.current == min(.machine, limit))
    #expect(Processor.current.features.contains(.avx512) == (Processor.Level.current >= .avx512))
    #expect(Processor.current.features.contains(.amx) == (Processor.Level.current == .amx))
  }

  @Test("automatic precision selects bfloat16 where it is fast, and float32 elsewhere")
  func automatic() {
    #expect(Precision.auto.resolved(on: .cpu, processor: plain) == .float32)
    #expect(Precision.auto.resolved(on: .cpu, processor: arm) == .float32)
    #expect(Precision.auto.resolved(on: .cpu, processor: vectors) == .bfloat16)
    #expect(Precision.auto.resolved(on: .cpu, processor: tiles) == .bfloat16)
    #expect(Precision.auto.resolved(on: .cuda(0), processor: plain) == .bfloat16)
    #expect(Precision.auto.resolved(on: .mps, processor: plain) == .float32)
  }

  @Test("an explicit precision applies on every device")
  func explicit() {
    #expect(Precision.bfloat16.resolved(on: .cpu, processor: plain) == .bfloat16)
    #expect(Precision.float32.resolved(on: .cuda(0), processor: tiles) == .float32)
  }

  #if os(Linux)
    @Test("this machine's processor is recognized, and has features unless a limit excludes them")
    func current() {
      #expect(!Processor.current.model.isEmpty || !Processor.current.features.isEmpty)
      if Processor.Level.current > .baseline { #expect(!Processor.current.features.isEmpty) }
    }
  #endif
}

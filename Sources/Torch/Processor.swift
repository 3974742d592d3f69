import Foundation

/// The processor that this program runs on, as far as it decides how to compute.
public struct Processor: Sendable, Hashable {
  /// Instructions that multiply many numbers at once.
  public enum Feature: String, Sendable, CaseIterable, Codable {
    /// Vectors of 256 bits with fused multiplication.
    case avx2 = "AVX2"
    /// Vectors of 512 bits.
    case avx512 = "AVX-512"
    /// Products of bfloat16 vectors.
    case avx512BFloat16 = "AVX-512 BF16"
    /// Products of bfloat16 tiles.
    case amx = "AMX"
    /// ARM's vectors of 128 bits.
    case neon = "NEON"
    /// ARM's vectors of any length.
    case sve = "SVE"
    /// ARM's products of bfloat16 vectors.
    case armBFloat16 = "ARM BF16"
  }

  /// The maker's name of it; empty where the system does not tell.
  public let model: String
  /// The instructions it has.
  public let features: Set<Feature>

  /// The processor of this machine.
  public static let current = read()

  /// A processor by the names that Linux gives its instructions in `/proc/cpuinfo`.
  public init(model: String, flags: Set<String>) {
    self.model = model
    var features: Set<Feature> = []
    if flags.isSuperset(of: ["avx2", "fma"]) { features.insert(.avx2) }
    if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl"]) { features.insert(.avx512) }
    if flags.contains("avx512_bf16") { features.insert(.avx512BFloat16) }
    if flags.isSuperset(of: ["amx_tile", "amx_bf16"]) { features.insert(.amx) }
    if flags.contains("asimd") { features.insert(.neon) }
    if flags.contains("sve") { features.insert(.sve) }
    if flags.contains("bf16") { features.insert(.armBFloat16) }
    self.features = features
  }

  /// Whether libtorch's bfloat16 products are faster here than its float32 products. Without AVX-512 BF16 or AMX it
  /// converts the numbers back and forth, which is slower.
  public var hasFastBFloat16: Bool {
    !features.isDisjoint(with: [.avx512BFloat16, .amx])
  }

  /// What ``hasFastBFloat16`` rests on, in a word or two.
  public var bfloat16Reason: String {
    if features.contains(.amx) { return Feature.amx.rawValue }
    if features.contains(.avx512BFloat16) { return Feature.avx512BFloat16.rawValue }
    return "no AVX-512 BF16 or AMX"
  }

  #if os(Linux)
    private static func read() -> Processor {
      // The first processor's block stands for all of them.
      let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
      var values: [String: String] = [:]
      for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else {
          if values.isEmpty { continue } else { break }
        }
        values[parts[0].trimmingCharacters(in: .whitespaces)] = parts[1].trimmingCharacters(in: .whitespaces)
      }
      let flags = values["flags"] ?? values["Features"] ?? ""
      return Processor(
        model: values["model name"] ?? values["Model"] ?? "", flags: Set(flags.split(separator: " ").map(String.init)))
    }
  #else
    private static func read() -> Processor {
      var size = 0
      sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0)
      var bytes = [UInt8](repeating: 0, count: size)
      guard size > 0, sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0) == 0 else {
        return Processor(model: "", flags: [])
      }
      #if arch(arm64)
        let flags: Set = ["asimd"]
      #else
        let flags: Set<String> = []
      #endif
      return Processor(model: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self), flags: flags)
    }
  #endif
}

import CALMSupport
import CTorch
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

    /// The lowest level that has it; nil for instructions of other processors than x86.
    fileprivate var level: Level? {
      switch self {
      case .avx2: .avx2
      case .avx512, .avx512BFloat16: .avx512
      case .amx: .amx
      case .neon, .sve, .armBFloat16: nil
      }
    }
  }

  /// A level of x86 instructions, which has all that the lower ones have. Other processors are at the baseline.
  public enum Level: String, Sendable, CaseIterable, Codable, Comparable {
    /// Vectors of 128 bits, as every x86-64 processor has them; on other processors no limit at all.
    case baseline
    /// AVX2 and FMA.
    case avx2
    /// AVX-512 F, BW, CD, DQ and VL, with VNNI and BF16 where the processor has them.
    case avx512
    /// Tiles of bfloat16 and int8.
    case amx

    /// Whether the first is the lower one.
    public static func < (a: Level, b: Level) -> Bool {
      allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
  }

  /// The maker's name of it; empty where the system does not give one.
  public let model: String
  /// The instructions that may be used.
  public let features: Set<Feature>

  /// The processor of this machine, with the features up to ``Level/current``.
  public static let current = read(limit: .current)

  /// A processor by the names that Linux gives its instructions in `/proc/cpuinfo`.
  ///
  /// - Parameter limit: features of higher levels are left out.
  public init(model: String, flags: Set<String>, limit: Level = .amx) {
    self.model = model
    var features: Set<Feature> = []
    if flags.isSuperset(of: ["avx2", "fma"]) { features.insert(.avx2) }
    if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl"]) { features.insert(.avx512) }
    if flags.contains("avx512_bf16") { features.insert(.avx512BFloat16) }
    if flags.isSuperset(of: ["amx_tile", "amx_bf16"]) { features.insert(.amx) }
    if flags.contains("asimd") { features.insert(.neon) }
    if flags.contains("sve") { features.insert(.sve) }
    if flags.contains("bf16") { features.insert(.armBFloat16) }
    self.features = features.filter { ($0.level ?? .baseline) <= limit }
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
    private static func read(limit: Level) -> Processor {
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
        model: values["model name"] ?? values["Model"] ?? "", flags: Set(flags.split(separator: " ").map(String.init)),
        limit: limit)
    }
  #else
    private static func read(limit: Level) -> Processor {
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
      return Processor(model: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self), flags: flags, limit: limit)
    }
  #endif
}

extension Processor.Level {
  /// The level in use: that of this machine, or the limit that ``variable`` sets where that is lower. Kernels and
  /// libtorch keep to it.
  public static var current: Processor.Level { level(ct_cpu_level().level) }

  /// The level of this machine.
  public static var machine: Processor.Level { level(ct_cpu_level().machine) }

  /// The environment variable that limits the level. It is read once, when the program starts.
  public static var variable: String { String(cString: ct_cpu_level().variable) }

  /// The value of ``variable``, where it is set.
  public static var limit: String? { ct_cpu_level().limit.map { String(cString: $0) } }

  /// Makes sure that the value of ``variable`` is a level. Any other value is ignored.
  ///
  /// - Throws: ``ProcessorLevelError`` with the value.
  public static func checkLimit() throws(ProcessorLevelError) {
    if !ct_cpu_level().is_limit_known { throw ProcessorLevelError(variable: variable, value: limit ?? "") }
  }

  private static func level(_ name: UnsafePointer<CChar>) -> Processor.Level {
    Processor.Level(rawValue: String(cString: name)) ?? .baseline
  }
}

/// A limit of the processor's instructions that is no ``Processor/Level``.
public struct ProcessorLevelError: DescribedError, Equatable {
  /// The environment variable.
  public let variable: String
  /// Its value.
  public let value: String

  /// One line: the variable, its value, and the values that it can have.
  public var description: String {
    "\(variable) is '\(value)', but must be one of \(Processor.Level.allCases.map(\.rawValue).joined(separator: ", "))"
  }
}

import CALMSupport
import CTorch
import Foundation

/// The features of a processor that select code paths.
public struct Processor: Sendable, Hashable {
  /// Vector and matrix instructions.
  public enum Feature: String, Sendable, CaseIterable, Codable {
    /// Vectors of 256 bits with fused multiply-add.
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

    /// The lowest level that includes the feature; nil for architectures other than x86.
    fileprivate var level: Level? {
      switch self {
      case .avx2: .avx2
      case .avx512, .avx512BFloat16: .avx512
      case .amx: .amx
      case .neon, .sve, .armBFloat16: nil
      }
    }
  }

  /// A level of x86 instructions, which includes all lower levels. Other processors are at the baseline.
  public enum Level: String, Sendable, CaseIterable, Codable, Comparable {
    /// Vectors of 128 bits, which every x86-64 processor has. On other architectures, all instructions.
    case baseline
    /// AVX2 and FMA.
    case avx2
    /// AVX-512 F, BW, CD, DQ and VL, with VNNI and BF16 where the processor has them.
    case avx512
    /// Tiles of bfloat16 and int8.
    case amx

    /// Whether `a` is lower than `b`.
    public static func < (a: Level, b: Level) -> Bool {
      allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)!
    }
  }

  /// The vendor's model name; empty if the system does not report it.
  public let model: String
  /// The instructions that code may use.
  public let features: Set<Feature>

  /// The processor of this machine, with the features up to ``Level/current``.
  public static let current = read(limit: .current)

  /// Creates a processor from Linux feature flags in `/proc/cpuinfo`.
  ///
  /// - Parameters:
  ///   - model: the model name.
  ///   - flags: the feature flags.
  ///   - limit: the highest level; features of higher levels are excluded.
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

  /// Whether libtorch's bfloat16 products are faster than its float32 products. Without AVX-512 BF16 or AMX libtorch
  /// converts to float32 and back, which is slower.
  public var hasFastBFloat16: Bool {
    !features.isDisjoint(with: [.avx512BFloat16, .amx])
  }

  /// The most capable of ``features``, which mostly determines speed; "baseline" without any.
  public var instructions: String {
    Feature.allCases.last(where: features.contains)?.rawValue ?? Level.baseline.rawValue
  }

  /// A short reason for ``hasFastBFloat16``.
  public var bfloat16Reason: String {
    if features.contains(.amx) { return Feature.amx.rawValue }
    if features.contains(.avx512BFloat16) { return Feature.avx512BFloat16.rawValue }
    return "no AVX-512 BF16 or AMX"
  }

  #if os(Linux)
    private static func read(limit: Level) -> Processor {
      // The first block of the file describes all processors.
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
  /// The level in use: that of this machine, or the limit set by ``variable`` if that is lower. Kernels and libtorch
  /// respect it.
  public static var current: Processor.Level { level(ct_cpu_level().level) }

  /// The level of this machine.
  public static var machine: Processor.Level { level(ct_cpu_level().machine) }

  /// The environment variable that limits the level. It is read once, at program start.
  public static var variable: String { String(cString: ct_cpu_level().variable) }

  /// The value of ``variable``, if it is set.
  public static var limit: String? { ct_cpu_level().limit.map { String(cString: $0) } }

  /// Checks that the value of ``variable`` is a level. Without this check, other values are ignored.
  ///
  /// - Throws: ``ProcessorLevelError`` if it is not.
  public static func checkLimit() throws(ProcessorLevelError) {
    if !ct_cpu_level().is_limit_known { throw ProcessorLevelError(variable: variable, value: limit ?? "") }
  }

  private static func level(_ name: UnsafePointer<CChar>) -> Processor.Level {
    Processor.Level(rawValue: String(cString: name)) ?? .baseline
  }
}

/// An invalid limit of the processor's level.
public struct ProcessorLevelError: DescribedError, Equatable {
  /// The environment variable.
  public let variable: String
  /// Its value.
  public let value: String

  /// One line: the variable, its value and the valid values.
  public var description: String {
    "\(variable) has the unknown value '\(value)'; use one of \(Processor.Level.allCases.map(\.rawValue).joined(separator: ", "))"
  }
}

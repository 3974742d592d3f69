import CALMSupport
import CALMTerminal
import Foundation
import Torch

/// The results of `calm doctor`.
struct MachineReport: Encodable {
  struct Libtorch: Encodable {
    let version: String
    /// The loaded file of libtorch_cpu.
    let path: String?
    /// All lines of libtorch's build configuration.
    let build: [String]

    /// The lines of `build` that determine the speed.
    var summary: [String] {
      build.filter { line in
        ["CPU capability", "oneDNN", "MKL-DNN", "oneAPI Math", "OpenMP"].contains { line.contains($0) }
      }
    }
  }

  struct ProcessorReport: Encodable {
    let model: String
    let features: [String]
    /// The CPU level in use.
    let level: Processor.Level
    /// The highest level that the machine supports.
    let machineLevel: Processor.Level
    /// The environment variable that limits the level, as `NAME=value`, if it is set.
    let limit: String?
    let cores: Int
  }

  struct Memory: Encodable {
    let total: Int
    let available: Int?
    /// The bytes that the container or session may use, if fewer.
    let limit: Int?
  }

  struct DeviceReport: Encodable {
    let name: String
    let isAvailable: Bool
    /// Why the device is not available.
    let reason: String?

    /// The GPUs of several processes, through NCCL.
    static let several = "nccl"

    init(name: String) {
      self.name = name
      do {
        if name == Self.several { try CUDA.loadNCCL() } else { _ = try Device(parsing: name) }
        (isAvailable, reason) = (true, nil)
      } catch {
        isAvailable = false
        reason = if case .unavailable(_, let reason) = error { reason } else { error.description }
      }
    }
  }

  struct PrecisionReport: Encodable {
    let auto: String
    let reason: String
  }

  struct Rate: Encodable {
    let precision: String
    let gigaflopsPerSecond: Double
  }

  struct Program: Encodable {
    let name: String
    /// The extension of the files that it decompresses.
    let ending: String
    let path: String?
  }

  let calm = calmVersion
  let libtorch: Libtorch
  let processor: ProcessorReport
  let threads: Int
  let memory: Memory
  let devices: [DeviceReport]
  /// Whether several processes can train on GPUs.
  let nccl: DeviceReport
  let precision: PrecisionReport
  let rates: [Rate]
  let programs: [Program]

  /// Inspects this machine; takes about two seconds.
  init() {
    let build = Runtime.buildConfiguration.split(separator: "\n").map { line in
      String(line.drop { $0 == " " || $0 == "-" })
    }
    libtorch = Libtorch(version: Runtime.version, path: loadedLibrary("libtorch_cpu"), build: build)
    let current = Processor.current
    processor = ProcessorReport(
      model: current.model, features: Processor.Feature.allCases.filter(current.features.contains).map(\.rawValue),
      level: .current, machineLevel: .machine,
      limit: Processor.Level.limit.map { "\(Processor.Level.variable)=\($0)" },
      cores: ProcessInfo.processInfo.activeProcessorCount)
    threads = Runtime.threads
    memory = Memory(
      total: Int(ProcessInfo.processInfo.physicalMemory), available: availableMemory(), limit: memoryLimit())
    devices = ["cpu", "cuda", "mps"].map(DeviceReport.init)
    nccl = DeviceReport(name: DeviceReport.several)
    precision = PrecisionReport(
      auto: Precision.auto.resolved(on: .cpu).rawValue, reason: current.bfloat16Reason)
    rates = [DType.float32, .bfloat16].map { Rate(precision: $0.rawValue, gigaflopsPerSecond: productRate($0)) }
    programs = [("gzip", "gz"), ("zstd", "zst")].map { Program(name: $0, ending: $1, path: findProgram($0)) }
  }
}

/// The path of a library that this process has loaded.
private func loadedLibrary(_ name: String) -> String? {
  #if os(Linux)
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    guard let line = maps.split(separator: "\n").first(where: { $0.contains("/\(name).") }),
      let start = line.firstIndex(of: "/")
    else { return nil }
    return String(line[start...])
  #else
    return (0..<_dyld_image_count()).lazy.compactMap { _dyld_get_image_name($0).map { String(cString: $0) } }
      .first { $0.contains("/\(name).") }
  #endif
}

/// The bytes that programs can still allocate without swapping; nil if unknown.
private func availableMemory() -> Int? {
  guard let text = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
    let line = text.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }),
    let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
  else { return nil }
  return kilobytes * 1024
}

/// The bytes that this process's control group may use, if limited.
private func memoryLimit() -> Int? {
  for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8),
      let limit = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
    else { continue }
    return limit < Int(ProcessInfo.processInfo.physicalMemory) ? limit : nil
  }
  return nil
}

/// The path at which the shell would find a program.
private func findProgram(_ name: String) -> String? {
  let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
  return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
}

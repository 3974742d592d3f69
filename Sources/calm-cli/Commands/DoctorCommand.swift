import ArgumentParser
import CALMTerminal
import Torch

/// `calm doctor`.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Describe this machine: libtorch, processor, devices, speed.",
    discussion: """
      Measures matrix products for about a second in each precision, and shows which precision '--precision auto' \
      chooses. CALM_CPU=baseline|avx2|avx512|amx limits the CPU instructions that are used.

      Example:
        calm doctor
        calm doctor --json
      """)

  @Option(help: ArgumentHelp("Threads to measure with. (default: one for each core)", valueName: "n"))
  var threads: Int?

  @OptionGroup var report: OutputOptions

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads must be from 1 to 1024, not \(threads)")
    }
  }

  func run() throws {
    Runtime.tuneAllocator()
    if let threads { Runtime.threads = threads }
    let machine = MachineReport()
    try report.print(machine, text: description(machine))
  }

  private func description(_ machine: MachineReport) -> String {
    var table = Table(alignments: [.left, .left])
    func row(_ name: String, _ value: String) { table.append([name, value]) }
    row("calm", machine.calm)
    row("libtorch", "\(machine.libtorch.version), \(machine.libtorch.path ?? "path unknown")")
    for line in machine.libtorch.summary { row("", line) }
    row("processor", machine.processor.model.isEmpty ? "unknown" : machine.processor.model)
    row(
      "",
      machine.processor.features.isEmpty
        ? "none of the known features" : machine.processor.features.joined(separator: ", "))
    row("", level(machine.processor))
    row("threads", "\(machine.threads) of \(machine.processor.cores) cores")
    row("memory", memory(machine.memory))
    for device in machine.devices + [machine.nccl] {
      row(device.name, device.isAvailable ? "available" : "not available: \(device.reason ?? "unknown reason")")
    }
    row("precision auto", "\(machine.precision.auto) (\(machine.precision.reason))")
    for rate in machine.rates { row(rate.precision, String(format: "%.0f GFLOP/s", rate.gigaflopsPerSecond)) }
    for program in machine.programs {
      row(program.name, program.path ?? "missing: .\(program.ending) files cannot be read; install it")
    }
    return table.text
  }

  private func level(_ processor: MachineReport.ProcessorReport) -> String {
    let text = "level \(processor.level.rawValue)"
    guard let limit = processor.limit else { return text }
    return processor.level < processor.machineLevel
      ? "\(text), limited by \(limit); the machine has \(processor.machineLevel.rawValue)"
      : "\(text); \(limit) does not lower it"
  }

  private func memory(_ memory: MachineReport.Memory) -> String {
    var text = shortBytes(memory.total)
    if let available = memory.available { text += ", \(shortBytes(available)) free" }
    if let limit = memory.limit { text += ", limited to \(shortBytes(limit))" }
    return text
  }
}

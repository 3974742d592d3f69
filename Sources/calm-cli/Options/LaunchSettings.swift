import ArgumentParser
import CALMTerminal
import CALMTraining
import Foundation
import Torch

/// The folder of a run, the number of processes, and the reaction to the death of one: settings of the command line or
/// a file that are not part of a run's record.
struct LaunchSettings: SettingsTable {
  /// The folder of a new run.
  var out: String?
  private var processes: Int?
  private var maxRestarts = 0
  private var processTimeout = 600
  private var shardOptimizer = false

  static let groups = [
    SettingGroup<Self>(
      "Run and processes",
      [
        Setting("out", \.out, .text("path"), "Folder of the new run."),
        Setting(
          "processes", \.processes, .count,
          "Train with this many processes on this machine. Each takes a share of every batch and of the cores, and "
            + "with --device cuda one GPU. Launchers for several machines set RANK, WORLD_SIZE, MASTER_ADDR and "
            + "MASTER_PORT instead."
        ).changeable,
        Setting(
          "max_restarts", \.maxRestarts, .countOrZero,
          "Maximum number of restarts from the last checkpoint after a process dies."
        ).changeable,
        Setting(
          "process_timeout", \.processTimeout, .count, "Seconds to wait for the other processes before giving up."
        ).changeable,
        Setting(
          "shard_optimizer", \.shardOptimizer, .flag,
          "Divide the optimizer state among the processes: less memory, same results."
        ).changeable,
      ])
  ]

  /// Contradictions among the settings, or between them and this process's rank.
  func faults(_ given: GivenSettings) -> [String] {
    var faults: [String] = []
    if maxRestarts > 0 && (processes == nil || LaunchedProcess.hasOtherLauncher) {
      faults.append(
        "\(given.title(of: "max_restarts")) needs --processes; other launchers restart processes by themselves")
    }
    let idle = (shardOptimizer ? ["shard_optimizer"] : []) + (given.has("process_timeout") ? ["process_timeout"] : [])
    return faults
      + withoutEffect("in a single process", names: areSeveral ? [] : idle.map(given.title))
  }

  /// Whether several processes train together, started by --processes or by another launcher.
  var areSeveral: Bool {
    if let processes { return processes > 1 }
    // An incomplete address is reported when the processes join.
    do { return (try RankVariables()?.worldSize ?? 1) > 1 } catch { return true }
  }

  /// Starts the processes that the settings ask for, unless this process is one of them.
  ///
  /// - Parameter device: the device on which the processes compute.
  /// - Returns: whether it started them and all have ended.
  func start(on device: String) throws -> Bool {
    let place = try RankVariables()
    guard let processes else { return false }
    if let place {
      guard place.worldSize == processes else {
        throw ValidationError("--processes \(processes) does not fit WORLD_SIZE \(place.worldSize); leave it out")
      }
      return false
    }
    if processes == 1 && maxRestarts == 0 { return false }
    if processes > 1 {
      try Self.requireSeveral(on: device)
      if device == "cuda" && processes > CUDA.deviceCount {
        throw InputError.moreProcessesThanDevices(processes: processes, devices: CUDA.deviceCount)
      }
    }
    let program = Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])
    let launcher = ProcessLauncher(
      program, arguments: Array(CommandLine.arguments.dropFirst()), count: processes, restarts: maxRestarts)
    Interruption.watch()
    let status = try launcher.run(
      isInterrupted: { Interruption.isRequested },
      willRestart: { number, reason in
        StandardError.note("\(reason); restarting from the last checkpoint (\(number) of \(maxRestarts))")
      })
    if status != 0 { throw ExitCode(status) }
    return true
  }

  /// The device of this process, given the name that all processes share: each takes a different GPU.
  ///
  /// - Throws: ``InputError`` and ``DeviceError`` if there is no GPU for it, or several processes cannot use the
  ///   device.
  func ownDevice(of device: String) throws -> String {
    guard let place = try RankVariables(), place.worldSize > 1 else { return device }
    try Self.requireSeveral(on: device)
    if device == "cuda" && place.localRank >= CUDA.deviceCount {
      throw InputError.noDeviceForProcess(localRank: place.localRank, devices: CUDA.deviceCount)
    }
    return place.ownDevice(of: device)
  }

  /// The device for a resumed run. The record names the GPU of the first process; each process takes its own.
  func device(resuming record: RunRecord) -> String {
    areSeveral && record.settings.inputs.device.hasPrefix("cuda:") ? "cuda" : record.settings.inputs.device
  }

  /// Refuses a device on which several processes cannot train.
  private static func requireSeveral(on device: String) throws {
    if device == "cpu" { return }
    if device == "cuda" { return try CUDA.loadNCCL() }
    if device.hasPrefix("cuda:") { throw InputError.processesOnOneDevice(device) }
    _ = try Device(parsing: device)
    throw InputError.processesOnDevice(device)
  }

  /// The data-parallel group of this process, after all of its processes have connected.
  ///
  /// - Parameter device: the device of this process.
  /// - Throws: ``ProcessGroupError`` if a process does not connect, ``RankVariablesError``.
  func meet(on device: Device) throws -> any DataParallelGroup {
    LaunchedProcess.endWithLauncher()
    guard let place = try RankVariables(), place.worldSize > 1 else { return SingleProcess() }
    return MultiProcess(
      try ProcessGroup(
        host: place.host, port: place.port, rank: place.rank, count: place.worldSize, device: device,
        timeout: .seconds(processTimeout)),
      shardsOptimizer: shardOptimizer)
  }
}

/// The relation of this process to its launcher, ``ProcessLauncher`` or another.
enum LaunchedProcess {
  private static let mode = ProcessInfo.processInfo.environment[ProcessLauncher.variable]

  /// Whether a launcher other than --processes has started this process.
  static var hasOtherLauncher: Bool {
    if mode != nil { return false }
    // An incomplete address is reported when the processes join.
    do { return try RankVariables() != nil } catch { return true }
  }

  /// Whether this process replaces one that has died.
  static var isRestart: Bool { mode == "resume" || RankVariables.isRestart() }

  /// Whether an error only says that another process ended, which the launcher reports with its reason.
  static func isQuiet(about error: any Error) -> Bool {
    guard mode != nil, let error = error as? ProcessGroupError else { return false }
    return switch error {
    case .lost, .late: true
    case .absent, .portInUse, .unreachable: false
    }
  }

  /// Stops this process as an interruption would, when its launcher has ended.
  static func endWithLauncher() {
    guard mode != nil else { return }
    // The launcher holds the other end of standard input, and never writes.
    let watch = Thread {
      _ = try? FileHandle.standardInput.readToEnd()
      kill(getpid(), SIGINT)
    }
    watch.name = "launcher watch"
    watch.start()
  }
}

import CALMSupport
import Foundation

/// The place of a process in its data-parallel group, from the environment variables `RANK`, `WORLD_SIZE`,
/// `LOCAL_RANK`, `MASTER_ADDR` and `MASTER_PORT`. Launchers such as torchrun and ``ProcessLauncher`` set them. Slurm
/// sets `SLURM_LOCALID` instead of `LOCAL_RANK`.
public struct RankVariables: Equatable, Sendable {
  /// The number of the process.
  public var rank: Int
  /// The number of processes.
  public var worldSize: Int
  /// The number of the process on its machine.
  public var localRank: Int
  /// The machine of process 0.
  public var host: String
  /// The port on which process 0 listens.
  public var port: Int

  /// Creates a place.
  public init(rank: Int, worldSize: Int, localRank: Int, host: String, port: Int) {
    (self.rank, self.worldSize, self.localRank) = (rank, worldSize, localRank)
    (self.host, self.port) = (host, port)
  }

  /// Reads the variables; nil for a single process, which has neither `RANK` nor `WORLD_SIZE`.
  ///
  /// - Throws: ``RankVariablesError`` with the variable that is missing or invalid.
  public init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) throws(RankVariablesError) {
    if environment["RANK"] == nil && environment["WORLD_SIZE"] == nil { return nil }
    func text(_ name: String) throws(RankVariablesError) -> String {
      guard let text = environment[name], !text.isEmpty else { throw .missing(name) }
      return text
    }
    func number(_ name: String, in range: ClosedRange<Int>) throws(RankVariablesError) -> Int {
      let text = try text(name)
      guard let number = Int(text), range.contains(number) else { throw .invalid(name, text, range) }
      return number
    }
    worldSize = try number("WORLD_SIZE", in: 1...65_536)
    rank = try number("RANK", in: 0...worldSize - 1)
    if let name = ["LOCAL_RANK", "SLURM_LOCALID"].first(where: { environment[$0] != nil }) {
      localRank = try number(name, in: 0...worldSize - 1)
    } else {
      localRank = rank
    }
    host = try text("MASTER_ADDR")
    port = try number("MASTER_PORT", in: 1...65_535)
  }

  /// Whether a launcher has restarted the processes, or a queue has restarted the whole job: torchrun counts restarts
  /// in `TORCHELASTIC_RESTART_COUNT`, Slurm in `SLURM_RESTART_COUNT`.
  public static func isRestart(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"].contains { name in
      (environment[name].flatMap { Int($0) } ?? 0) > 0
    }
  }

  /// The device of this process if the device `name` is given for all processes: `cuda` becomes the GPU with the local rank.
  public func ownDevice(of name: String) -> String {
    name == "cuda" ? "cuda:\(localRank)" : name
  }

  /// The environment variables for a process at this place.
  public var environment: [String: String] {
    [
      "RANK": "\(rank)", "WORLD_SIZE": "\(worldSize)", "LOCAL_RANK": "\(localRank)", "MASTER_ADDR": host,
      "MASTER_PORT": "\(port)",
    ]
  }
}

/// An error in the environment variables of ``RankVariables``.
public enum RankVariablesError: DescribedError, Equatable {
  /// A variable is unset or empty.
  case missing(String)
  /// A variable is not an integer in its range: the name, the value and the range.
  case invalid(String, String, ClosedRange<Int>)

  /// One line: the variable, what is wrong with it, and what to set.
  public var description: String {
    switch self {
    case .missing(let name):
      "the environment variable \(name) is not set, although RANK or WORLD_SIZE is; set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT together, or none of them"
    case .invalid(let name, let value, let range):
      "the environment variable \(name) must be an integer from \(range.lowerBound) to \(range.upperBound), not '\(value)'"
    }
  }
}

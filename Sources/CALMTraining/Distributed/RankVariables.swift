import CALMSupport
import Foundation

/// Where a process stands among those that train together, as launchers tell it: `RANK`, `WORLD_SIZE`, `LOCAL_RANK`,
/// `MASTER_ADDR` and `MASTER_PORT` of the environment. torchrun sets them, as `calm train --processes` does. Slurm says
/// `SLURM_LOCALID` for `LOCAL_RANK`.
public struct RankVariables: Equatable, Sendable {
  /// The number of the process.
  public var rank: Int
  /// The number of processes.
  public var worldSize: Int
  /// The number of the process on its machine.
  public var localRank: Int
  /// The machine of process 0.
  public var host: String
  /// The port on which process 0 listens there.
  public var port: Int

  /// A place given by hand.
  public init(rank: Int, worldSize: Int, localRank: Int, host: String, port: Int) {
    (self.rank, self.worldSize, self.localRank) = (rank, worldSize, localRank)
    (self.host, self.port) = (host, port)
  }

  /// Reads the variables; nil where the process was started alone, with neither `RANK` nor `WORLD_SIZE`.
  ///
  /// - Throws: ``RankVariablesError`` that names the variable which is missing or does not fit.
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

  /// Whether a launcher has started the processes anew after some had died, or a queue the whole job: torchrun counts
  /// that in `TORCHELASTIC_RESTART_COUNT`, Slurm in `SLURM_RESTART_COUNT`.
  public static func isRestart(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> Bool {
    ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"].contains { name in
      (environment[name].flatMap { Int($0) } ?? 0) > 0
    }
  }

  /// The device that this process takes, of the name that all are given: for `cuda` the GPU of its number on the machine.
  public func ownDevice(of name: String) -> String {
    name == "cuda" ? "cuda:\(localRank)" : name
  }

  /// What to add to the environment of a process that stands here.
  public var environment: [String: String] {
    [
      "RANK": "\(rank)", "WORLD_SIZE": "\(worldSize)", "LOCAL_RANK": "\(localRank)", "MASTER_ADDR": host,
      "MASTER_PORT": "\(port)",
    ]
  }
}

/// Variables of the environment that do not place a process among others.
public enum RankVariablesError: DescribedError, Equatable {
  /// A variable is not set, or empty.
  case missing(String)
  /// A variable is not a whole number of the range: its name, its value, the range.
  case invalid(String, String, ClosedRange<Int>)

  /// One line: the variable, what is wrong with it, what to set.
  public var description: String {
    switch self {
    case .missing(let name):
      "the environment says that this is one of several processes, but \(name) is not set; set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT together, or none of them"
    case .invalid(let name, let value, let range):
      "the environment variable \(name) must be a number from \(range.lowerBound) to \(range.upperBound), not '\(value)'"
    }
  }
}

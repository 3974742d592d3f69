import CALMTraining
import Testing

@Suite("Environment variables of launchers") struct RankVariablesTests {
  private let whole = [
    "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
  ]

  @Test("The variables of a launcher are read, and written with the same values")
  func reads() throws {
    let place = try #require(try RankVariables(whole))
    #expect(place == RankVariables(rank: 3, worldSize: 4, localRank: 1, host: "node0", port: 29500))
    #expect(place.environment == whole)
    #expect(try RankVariables(["PATH": "/bin"]) == nil)
  }

  @Test("Each process uses the GPU with its local rank, which the launcher or Slurm sets")
  func ownDevice() throws {
    let place = try #require(try RankVariables(whole))
    #expect(place.ownDevice(of: "cuda") == "cuda:1" && place.ownDevice(of: "cpu") == "cpu")
    var environment = whole
    environment["SLURM_LOCALID"] = "2"
    #expect(try RankVariables(environment)?.localRank == 1)
    environment["LOCAL_RANK"] = nil
    #expect(try RankVariables(environment)?.localRank == 2)
    environment["SLURM_LOCALID"] = nil
    #expect(try RankVariables(environment)?.localRank == 3)
  }

  @Test(
    "A restart by a launcher is recognized",
    arguments: ["TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT"])
  func restarts(variable: String) {
    #expect(RankVariables.isRestart([variable: "2"]))
    for value in ["0", "", "x"] { #expect(!RankVariables.isRestart([variable: value])) }
    #expect(!RankVariables.isRestart(whole))
  }

  @Test("The error for a missing variable names it", arguments: ["RANK", "WORLD_SIZE", "MASTER_ADDR"])
  func missing(name: String) {
    var environment = whole
    environment[name] = nil
    #expect(throws: RankVariablesError.missing(name)) { try RankVariables(environment) }
  }

  @Test(
    "The error for an invalid variable names it",
    arguments: [("RANK", "4"), ("RANK", "-1"), ("WORLD_SIZE", "0"), ("MASTER_PORT", "port"), ("LOCAL_RANK", "x")])
  func invalid(name: String, value: String) throws {
    var environment = whole
    environment[name] = value
    let error = #expect(throws: RankVariablesError.self) { try RankVariables(environment) }
    #expect(error?.description.contains(name) == true)
  }
}

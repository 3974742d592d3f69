import CALM
import CALMSupport
import CALMTerminal
import Foundation

/// Input that is not what a command expects.
enum InputError: DescribedError, Equatable {
  case notJSON(file: String, line: Int, expected: String)
  case notIds(file: String, line: Int)
  case badId(file: String, line: Int, reason: String)
  case noFolderToRead(String)
  case settings(file: String, problems: [String])
  case otherCommand(run: String, command: String)
  case nothingToScore(data: String, tokens: Int)
  case processesOnDevice(String)
  case processesOnOneDevice(String)
  case moreProcessesThanDevices(processes: Int, devices: Int)
  case noDeviceForProcess(localRank: Int, devices: Int)
  case otherKind(model: String, option: String, kind: ModelFolder.Kind, needed: ModelFolder.Kind)

  var description: String {
    switch self {
    case .notJSON(let file, let line, let expected):
      "\(file):\(line): not \(expected); --json takes one on each line"
    case .notIds(let file, let line):
      "\(file):\(line): not a token id; give whole numbers with spaces or line ends between them"
    case .badId(let file, let line, let reason):
      "\(file):\(line): \(reason)"
    case .processesOnDevice(let device):
      "--device \(device): several processes train on the CPU or on NVIDIA GPUs; leave out --processes"
    case .processesOnOneDevice(let device):
      "--device \(device): each of several processes takes a GPU of its own; give --device cuda, and name the GPUs in CUDA_VISIBLE_DEVICES"
    case .moreProcessesThanDevices(let processes, let devices):
      "--device cuda: each process takes a GPU of its own, and libtorch finds \(devices); give --processes \(devices) at most, not \(processes)"
    case .noDeviceForProcess(let localRank, let devices):
      "--device cuda: the process of LOCAL_RANK \(localRank) takes cuda:\(localRank), but libtorch finds only \(devices) of them; start no more processes on a machine than it has GPUs, and where each sees its own alone, set LOCAL_RANK to 0"
    case .otherKind(let model, let option, let kind, let needed):
      "\(model): holds \(kind.article), but \(option) needs \(needed.article); leave it out"
    case .settings(let file, let problems):
      "\(file): \(problems.joined(separator: "; "))"
    case .otherCommand(let path, let command):
      "\(path): a run of '\(command)'; resume it with: \(command) --resume \(path)"
    case .nothingToScore(let data, let tokens):
      "\(data): the held-out part has \(tokens) tokens, too few to score a prediction; prepare the data with a larger --validation-fraction, or with --validation-fraction 0"
    case .noFolderToRead(let path):
      "\(path): no such folder; check the path"
    }
  }
}

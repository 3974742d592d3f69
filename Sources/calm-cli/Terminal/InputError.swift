import CALM
import CALMSupport
import CALMTerminal
import Foundation

/// Invalid input to a command.
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
  case noProbabilities(model: String, option: String, head: HeadKind)
  case sampledByLogits(model: String, option: String)

  var description: String {
    switch self {
    case .notJSON(let file, let line, let expected):
      "\(file):\(line): not \(expected); --json expects one per line"
    case .notIds(let file, let line):
      "\(file):\(line): not a token id; give whole numbers separated by spaces or newlines"
    case .badId(let file, let line, let reason):
      "\(file):\(line): \(reason)"
    case .processesOnDevice(let device):
      "--device \(device): several processes train on the CPU or on NVIDIA GPUs; leave out --processes"
    case .processesOnOneDevice(let device):
      "--device \(device): several processes need a GPU each; give --device cuda, and name the GPUs in CUDA_VISIBLE_DEVICES"
    case .moreProcessesThanDevices(let processes, let devices):
      "--device cuda: each process needs a GPU, and libtorch finds \(devices); --processes must be at most \(devices), not \(processes)"
    case .noDeviceForProcess(let localRank, let devices):
      "--device cuda: the process with LOCAL_RANK \(localRank) uses cuda:\(localRank), but libtorch finds only \(devices); start at most one process per GPU, and set LOCAL_RANK to 0 if each process sees only one"
    case .otherKind(let model, let option, let kind, let needed):
      "\(model): contains \(kind.article), but \(option) needs \(needed.article); leave it out"
    case .noProbabilities(let model, let option, let head):
      "\(model): contains a continuous language model with the head '\(head.rawValue)', but \(option) needs the probabilities of tokens, as of a Transformer or the head 'tokens' of several steps; leave it out"
    case .sampledByLogits(let model, let option):
      "\(model): is sampled by logits, where \(option) has no effect; leave it out, or add --sampler batch"
    case .settings(let file, let problems):
      "\(file): \(problems.joined(separator: "; "))"
    case .otherCommand(let path, let command):
      "\(path): this run was started with '\(command)'; resume it with: \(command) --resume \(path)"
    case .nothingToScore(let data, let tokens):
      "\(data): the held-out part has \(tokens) tokens, too few to score a prediction; prepare the data with a larger --validation-fraction, or with --validation-fraction 0"
    case .noFolderToRead(let path):
      "\(path): no such folder; check the path"
    }
  }
}

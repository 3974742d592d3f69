import CALMSupport
import CALMTerminal

/// Why a benchmark cannot be made.
enum BenchError: DescribedError, Equatable {
  case failed(String, reason: String)
  case noScript
  case noPython(String)
  case notOfficial(String)
  case unreadable(path: String)

  var description: String {
    switch self {
    case .failed(let job, let reason): "\(job): \(reason)"
    case .noScript:
      "scripts/time-official.py is neither here nor above the program; run this in the folder of the project"
    case .noPython(let path): "\(path): no such program; --python names one that has torch and transformers"
    case .notOfficial(let path):
      "\(path): holds no models/modeling_energy.py; --official names a checkout of the official code"
    case .unreadable(let path): "\(path): holds no results of this program; give another file or take it away"
    }
  }
}

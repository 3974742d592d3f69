import CALMSupport
import CALMTerminal

/// An error of a benchmark.
enum BenchError: DescribedError, Equatable {
  case failed(String, reason: String)
  case noScript
  case noPython(String)
  case notOfficial(String)
  case noResults(path: String)
  case unreadable(path: String)

  var description: String {
    switch self {
    case .failed(let job, let reason): "\(job): \(reason)"
    case .noScript:
      "scripts/time-official.py not found in this folder or above the program; run calm-bench in the project's folder"
    case .noPython(let path): "\(path): no such program; set --python to a Python with torch and transformers"
    case .notOfficial(let path):
      "\(path): contains no models/modeling_energy.py; set --official to a checkout of the official code"
    case .noResults(let path): "\(path): no such file; name one that calm-bench --out or gpu-check wrote"
    case .unreadable(let path): "\(path): not a results file of calm-bench; choose another file or delete this one"
    }
  }
}

import CALMReports
import CALMSupport
import CALMTraining

/// An experiment that cannot be run: what is wrong with its file or folder, and what to do.
public enum ExperimentError: DescribedError, Equatable {
  /// The file cannot be read as an experiment; the reason names the place.
  case invalid(file: String, reason: String)
  /// The data have no held-out part to evaluate on.
  case nothingHeldOut(data: String)
  /// The run of that name was trained with another value of a setting.
  case otherSettings(run: String, name: String, before: String, now: String)
  /// The run of that name has no record of the settings and text that it was trained with.
  case unknownSettings(run: String)

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .invalid(let file, let reason): "\(file): \(reason)"
    case .nothingHeldOut(let data):
      "\(data): no document is held out to evaluate on; prepare the data with a larger --validation"
    case .otherSettings(let run, let name, let before, let now):
      "\(run): was trained with '\(name)' \(before), but the experiment now has \(now); remove the folder to train it again, or choose another --out"
    case .unknownSettings(let run):
      "\(run): has no readable fingerprint.json, so the settings of its training are unknown; remove the folder to train it again, or choose another --out"
    }
  }
}

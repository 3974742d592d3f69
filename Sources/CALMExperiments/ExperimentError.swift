import CALMReports
import CALMSupport
import CALMTraining

/// An error in the file or folder of an experiment.
public enum ExperimentError: DescribedError, Equatable {
  /// The file is not a valid experiment.
  case invalid(file: String, reason: String)
  /// The data has no held-out documents.
  case nothingHeldOut(data: String)
  /// A run was trained with a different value of a setting.
  case otherSettings(run: String, name: String, before: String, now: String)
  /// A run has no record of its settings and text.
  case unknownSettings(run: String)

  /// One line: what is wrong and, if there is a remedy, what to do.
  public var description: String {
    switch self {
    case .invalid(let file, let reason): "\(file): \(reason)"
    case .nothingHeldOut(let data):
      "\(data): no held-out documents to evaluate on; prepare the data with a validation split"
    case .otherSettings(let run, let name, let before, let now):
      "\(run): was trained with '\(name)' \(before), but the experiment now has \(now); remove the folder to train it again, or choose another output folder"
    case .unknownSettings(let run):
      "\(run): has no readable fingerprint.json, so its settings are unknown; remove the folder to train it again, or choose another output folder"
    }
  }
}

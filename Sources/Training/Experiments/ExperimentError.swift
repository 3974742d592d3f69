/// An experiment that cannot be run: what is wrong with its file or folder, and what to do.
public enum ExperimentError: Error, Equatable, CustomStringConvertible {
  /// The file cannot be read as an experiment; the reason names the place.
  case invalid(file: String, reason: String)
  /// The data have no held-out part to evaluate on.
  case nothingHeldOut(data: String)
  /// A run of that name is there with other settings.
  case otherSettings(run: String)

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .invalid(let file, let reason): "\(file): \(reason)"
    case .nothingHeldOut(let data):
      "\(data): no document is held out to evaluate on; prepare the data with a larger --validation"
    case .otherSettings(let run):
      "\(run): was trained with other settings than the experiment file has now; remove it, or choose another --out"
    }
  }
}

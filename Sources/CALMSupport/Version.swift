/// The version of this package, as printed by `calm --version` and recorded in runs and data sets.
public let calmVersion = "0.1.0"

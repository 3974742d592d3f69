/// The version of this package: what `calm --version` prints and what runs and data sets record.
public let calmVersion = "0.1.0"

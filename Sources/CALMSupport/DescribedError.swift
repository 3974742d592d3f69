import Foundation

/// An error whose description is one line: what is wrong and, if there is a remedy, what to do.
///
/// `print`, string interpolation and `localizedDescription` all give that line.
public protocol DescribedError: LocalizedError, CustomStringConvertible {}

extension DescribedError {
  /// The description.
  public var errorDescription: String? { description }
}

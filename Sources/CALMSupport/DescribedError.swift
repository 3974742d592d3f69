import Foundation

/// An error whose description is one line that says what is wrong and, if possible, what to do.
///
/// `print`, string interpolation and `localizedDescription` all return this line.
public protocol DescribedError: LocalizedError, CustomStringConvertible {}

extension DescribedError {
  /// The description.
  public var errorDescription: String? { description }
}

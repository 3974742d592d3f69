/// The result of a progress callback, which determines whether a long operation continues.
public enum Decision: Sendable {
  /// Continue with the next piece of work.
  case `continue`
  /// Stop after the current piece of work.
  case stop
}

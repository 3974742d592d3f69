/// The answer of a progress callback: whether long work continues.
public enum Decision: Sendable {
  /// Continue with the next piece of work.
  case `continue`
  /// Stop after the current piece, leaving everything complete.
  case stop
}

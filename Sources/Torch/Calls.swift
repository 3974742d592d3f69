import CTorch

// Calls of the C interface: functions return results through an out-parameter and failures as a code.

extension Tensor {
  /// Returns the tensor that a call of the C interface creates.
  static func make(
    _ function: StaticString = #function, _ body: (UnsafeMutablePointer<ct_tensor?>) -> Int32
  ) -> Tensor {
    Tensor(owning: makeHandle(function, body))
  }
}

func makeHandle(
  _ function: StaticString = #function, _ body: (UnsafeMutablePointer<ct_tensor?>) -> Int32
) -> ct_tensor {
  var handle: ct_tensor?
  check(body(&handle), function)
  guard let handle else { fatalError("\(function): the call returned no tensor") }
  return handle
}

/// Stops the process with libtorch's message if a call failed: such failures are programming errors.
func check(_ code: Int32, _ function: StaticString = #function) {
  if code != 0 { fatalError("\(function): \(lastError())") }
}

/// The first line of libtorch's latest message on this thread.
func lastError() -> String {
  let message = String(cString: ct_last_error())
  return message.split(separator: "\n").first.map(String.init) ?? message
}

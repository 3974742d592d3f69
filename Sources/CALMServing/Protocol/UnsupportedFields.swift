import CALMSupport

extension JSONValue {
  /// Whether it is this number, written in any way.
  func isNumber(_ number: Double) -> Bool {
    switch self {
    case .integer(let value): Double(value) == number
    case .number(let value): value == number
    default: false
    }
  }

}

extension CompletionCall {
  /// Refuses what the server cannot do, unless the value asks for nothing.
  static func refuseUnsupported(_ fields: inout FieldReader, kind: Kind, choices: Int) throws(APIError) {
    let isFalse: (JSONValue) -> Bool = { $0.boolean == false }
    let isZero: (JSONValue) -> Bool = { $0.isNumber(0) }
    try fields.refuse("logarithms of probabilities are not available", of: "logprobs", unless: isFalse)
    try fields.refuse("penalties need probabilities; only 0 is possible", of: "presence_penalty", unless: isZero)
    try fields.refuse("penalties need probabilities; only 0 is possible", of: "frequency_penalty", unless: isZero)
    try fields.refuse("a bias needs probabilities", of: "logit_bias") { $0.object?.isEmpty == true }
    switch kind {
    case .completion:
      try fields.refuse("a choice of the best needs probabilities", of: "best_of") { $0.wholeNumber == choices }
      try fields.refuse("text after the completion is not possible", of: "suffix") { $0.string == "" }
    case .chat:
      try fields.refuse("logarithms of probabilities are not available", of: "top_logprobs", unless: isZero)
      for key in ["tools", "functions"] {
        try fields.refuse("tools are not possible", of: key) { $0.array?.isEmpty == true }
      }
      for key in ["tool_choice", "function_call"] {
        try fields.refuse("tools are not possible", of: key) { $0.string == "none" || $0.string == "auto" }
      }
      fields.ignore("parallel_tool_calls")
      try fields.refuse("only text is possible", of: "response_format") { $0["type"]?.string == "text" }
      try fields.refuse("only text is possible", of: "modalities") {
        $0.array?.count == 1 && $0.array?.first?.string == "text"
      }
      try fields.refuse("only text is possible", of: "audio")
      try fields.refuse("the model does not reason separately", of: "reasoning_effort") { $0.string == "none" }
    }
  }
}

import CALMServing
import HTTPTypes

/// Who may use the server: keys, host names and kinds of content.
struct Access: Sendable {
  private let keys: [[UInt8]]
  private let hosts: Set<String>?

  init(_ settings: ServerSettings) {
    keys = settings.keys.map { Array($0.utf8) }
    let own: Set = ["localhost", "127.0.0.1", "[::1]", settings.host.lowercased()]
    hosts = settings.isLoopback || !settings.hosts.isEmpty ? own.union(settings.hosts.map { $0.lowercased() }) : nil
  }

  /// Refuses a request for another host. A page on the web whose name was changed to point at this computer (DNS
  /// rebinding) sends its own name.
  func checkHost(_ request: HTTPRequest) throws(APIError) {
    guard let hosts else { return }
    let authority = (request.authority ?? "").lowercased()
    let isClosed = authority.hasPrefix("[")
    let end =
      isClosed ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : authority.firstIndex(of: ":")
    let name = String(authority[..<(end ?? authority.endIndex)])
    let port = authority[(end ?? authority.endIndex)...]
    guard hosts.contains(name), port.isEmpty || (port.first == ":" && port.dropFirst().allSatisfy(\.isNumber)) else {
      throw APIError(
        status: 403, "the Host header names another server; allow its name with --allow-host",
        type: "invalid_request_error", code: "unknown_host")
    }
  }

  /// Refuses a request without one of the keys.
  func checkKey(_ request: HTTPRequest) throws(APIError) {
    if keys.isEmpty { return }
    let value = request.headerFields[.authorization] ?? ""
    let parts = value.split(separator: " ", maxSplits: 1)
    let given = parts.count == 2 && parts[0].lowercased() == "bearer" ? Array(parts[1].utf8) : []
    // Every key is compared, so that the time tells nothing about them.
    var isKnown = false
    for key in keys where Self.areEqual(given, key) { isKnown = true }
    guard isKnown else {
      throw APIError(
        status: 401, given.isEmpty ? "no API key; send the header 'Authorization: Bearer KEY'" : "the API key is wrong",
        type: "authentication_error", code: "invalid_api_key")
    }
  }

  /// Refuses a body that a page of another site may send without asking: only `application/json` makes a browser ask.
  func checkContent(_ request: HTTPRequest) throws(APIError) {
    let value = request.headerFields[.contentType] ?? ""
    let type = value.split(separator: ";", maxSplits: 1).first?.lowercased() ?? ""
    guard type.filter({ !$0.isWhitespace }) == "application/json" else {
      throw APIError(
        status: 415, "the Content-Type must be application/json", type: "invalid_request_error",
        code: "unsupported_media_type")
    }
  }

  /// Compares two sequences in a time that depends on the length of the first alone.
  static func areEqual(_ given: [UInt8], _ key: [UInt8]) -> Bool {
    var difference = given.count ^ key.count
    for (index, byte) in given.enumerated() {
      difference |= Int(byte ^ (key.isEmpty ? 0xFF : key[index % key.count]))
    }
    return difference == 0
  }
}

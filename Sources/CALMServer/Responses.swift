import CALMServing
import CALMSupport
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
  /// A response in JSON.
  init(_ status: HTTPResponse.Status = .ok, json: JSONValue) {
    self.init(status: status, type: "application/json", text: json.line)
  }

  /// A response of a text.
  init(status: HTTPResponse.Status = .ok, type: String, text: String) {
    self.init(
      status: status, headers: [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// A refusal.
  init(_ error: APIError) {
    self.init(HTTPResponse.Status(integerLiteral: error.status), json: error.json)
    if let seconds = error.retryAfter { headers[.retryAfter] = String(seconds) }
    if error.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
    // The rest of a body that was not read is not worth waiting for.
    if error.status == 413 { headers[.connection] = "close" }
  }
}

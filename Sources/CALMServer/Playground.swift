import HTTPTypes
import Hummingbird
import NIOCore

/// The playground: a page to try the models, compiled into the program from the files in `Playground/`.
///
/// The page needs no key, since it has no secret: what it sends to the other routes does.
enum Playground {
  private static let files: [String: (type: String, bytes: [UInt8])] = [
    "/": ("text/html", PackageResources.playground_html),
    "/playground.css": ("text/css", PackageResources.playground_css),
    "/playground.js": ("text/javascript", PackageResources.playground_js),
    "/playground-client.js": ("text/javascript", PackageResources.playground_client_js),
    "/playground-code.js": ("text/javascript", PackageResources.playground_code_js),
    "/playground-completion.js": ("text/javascript", PackageResources.playground_completion_js),
    "/playground-copy.js": ("text/javascript", PackageResources.playground_copy_js),
  ]

  /// Whether a path is the page or one of its files.
  static func contains(_ path: String) -> Bool { files[path] != nil }

  /// The response for a path of the page.
  ///
  /// - Precondition: ``contains(_:)`` is true.
  static func response(_ path: String) -> Response {
    let file = files[path]!
    return Response(
      status: .ok,
      headers: [
        .contentType: "\(file.type); charset=utf-8", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
        .contentSecurityPolicy: policy, .referrerPolicy: "no-referrer", .crossOriginResourcePolicy: "same-origin",
      ], body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
  }

  /// The page may load its own files and ask its own server. It may neither run nor show anything else, nor be shown in
  /// a frame, and its scripts cannot turn text into elements.
  private static let policy = [
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:",
    "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].joined(separator: "; ")
}

extension HTTPField.Name {
  fileprivate static let referrerPolicy = Self("Referrer-Policy")!
  fileprivate static let crossOriginResourcePolicy = Self("Cross-Origin-Resource-Policy")!
}

import Foundation

/// A connection to a server on this computer, which sends bytes as they are: the tests choose when and how many.
final class SocketClient: @unchecked Sendable {
  private let descriptor: Int32
  private var isOpen = true

  struct Failure: Error {
    let what: String
  }

  init(port: Int) throws {
    #if os(Linux)
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    // No test waits for ever.
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code != 0 { throw Failure(what: "connect: \(errno)") }
  }

  deinit { hangUp() }

  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  /// Sends a text; false if the connection is closed.
  @discardableResult
  func transmit(_ text: String) -> Bool { transmit(Array(text.utf8)) }

  @discardableResult
  func transmit(_ bytes: [UInt8]) -> Bool {
    #if os(Linux)
      let flags = Int32(MSG_NOSIGNAL)
    #else
      let flags: Int32 = 0
    #endif
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, flags) }
      if count <= 0 { return false }
      done += count
    }
    return true
  }

  /// Some received bytes; none if the connection is closed.
  func receive() -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return Array(buffer.prefix(max(0, count)))
  }

  /// Everything until the connection is closed, or until the text contains `end`.
  func receive(until end: String? = nil) -> String {
    var bytes: [UInt8] = []
    while true {
      let part = receive()
      if part.isEmpty { break }
      bytes += part
      if let end, String(decoding: bytes, as: UTF8.self).contains(end) { break }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A response of a server.
struct Reply {
  let status: Int
  /// The names in lower case.
  let headers: [String: String]
  let body: String

  /// - Parameter text: a whole response.
  init(_ text: String) {
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = (parts.first ?? "").split(separator: "\r\n")
    status = lines.first.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
    let fields = lines.dropFirst().compactMap { line -> (String, String)? in
      let pair = line.split(separator: ":", maxSplits: 1)
      return pair.count == 2 ? (pair[0].lowercased(), pair[1].trimmingCharacters(in: .whitespaces)) : nil
    }
    headers = Dictionary(fields) { first, _ in first }
    let rest = parts.count > 1 ? String(parts[1]) : ""
    body = headers["transfer-encoding"] == "chunked" ? Self.joined(rest) : rest
  }

  /// The events of a stream, without `data: `.
  var events: [String] {
    body.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { String($0.dropFirst("data: ".count)) }
  }

  private static func joined(_ chunks: String) -> String {
    var (bytes, rest) = ([UInt8](), Array(chunks.utf8)[...])
    while let end = rest.firstIndex(of: UInt8(ascii: "\r")),
      let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16), size > 0,
      rest.count >= end + 2 + size
        - rest.startIndex
    {
      bytes += rest[(end + 2)..<(end + 2 + size)]
      rest = rest[(end + 2 + size)...].dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

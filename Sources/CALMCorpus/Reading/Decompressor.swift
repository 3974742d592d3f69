import Foundation

/// A child process that decompresses a file into a pipe: `gzip -dc` or `zstd -dc`.
///
/// The child reads from the file descriptor of this process, so the shared file position gives the progress in the
/// compressed file. The child's messages come through a second pipe, which is drained while waiting for the first to
/// prevent a deadlock.
final class Decompressor {
  /// The pipe with the decompressed bytes.
  private let output: Int32
  private let messages: Int32
  private var process: pid_t
  private let program: String
  private let path: String
  private var messageBytes: [UInt8] = []

  /// Serializes starts: a child started between the creation of another's pipes and their marking as close-on-exec
  /// would keep the pipes open.
  private static let starting = NSLock()

  /// Starts the program for `compression`, with `input` as its standard input.
  init(_ compression: CorpusFile.Compression, input: Int32, path: String) throws {
    let arguments: [String]
    switch compression {
    case .gzip: arguments = ["gzip", "-dc"]
    // Archives with a long window exceed zstd's default memory limit of 128 MB.
    case .zstandard: arguments = ["zstd", "-dcq", "--long=31"]
    case .none: preconditionFailure("Decompressor: the file is not compressed")
    }
    program = arguments[0]
    self.path = path
    Self.starting.lock()
    defer { Self.starting.unlock() }
    let outputPipe = try Self.makePipe(path)
    let messagePipe: (read: Int32, write: Int32)
    do {
      messagePipe = try Self.makePipe(path)
    } catch {
      close(outputPipe.read)
      close(outputPipe.write)
      throw error
    }
    output = outputPipe.read
    messages = messagePipe.read
    process = 0
    let code = Self.spawn(
      arguments, input: input, output: outputPipe.write, messages: messagePipe.write, process: &process)
    close(outputPipe.write)
    close(messagePipe.write)
    if code != 0 {
      process = 0
      throw code == ENOENT
        ? CorpusError.missingProgram(path: path, program: program)
        : CorpusError.decompressionFailed(path: path, program: program, reason: systemReason(code))
    }
  }

  /// Kills the program if it is still running, and waits for it so that it does not remain a zombie.
  deinit {
    close(output)
    close(messages)
    if process > 0 {
      kill(process, SIGKILL)
      _ = waitForExit()
    }
  }

  /// Reads up to `buffer.count` decompressed bytes. Returns 0 at the end, after the program has exited successfully.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      var waiting = [
        pollfd(fd: output, events: Int16(POLLIN), revents: 0), pollfd(fd: messages, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&waiting, 2, -1) < 0 {
        if errno == EINTR { continue }
        throw CorpusError.unreadable(path: path, reason: systemReason(errno))
      }
      if waiting[1].revents != 0 && waiting[0].revents == 0 {
        // A closed message pipe would wake `poll` repeatedly, so from then on only the output is read.
        if readMessages() == 0 { return try readOutput(into: buffer) }
        continue
      }
      return try readOutput(into: buffer)
    }
  }

  private func readOutput(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      let count = systemRead(output, buffer)
      if count > 0 { return count }
      if count == 0 {
        try finish()
        return 0
      }
      if errno != EINTR { throw CorpusError.unreadable(path: path, reason: systemReason(errno)) }
    }
  }

  private func readMessages() -> Int {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = systemRead(messages, buffer)
      // Only the first lines matter; the rest is read to drain the pipe.
      if count > 0 && messageBytes.count < 4096 { messageBytes.append(contentsOf: buffer.prefix(count)) }
      return max(0, count)
    }
  }

  /// Throws unless the program exited with status 0, which is the only sign of a truncated archive.
  private func finish() throws {
    guard process > 0 else { return }
    while readMessages() > 0 {}
    let status = waitForExit()
    process = 0
    if status == 0 { return }
    let message = String(decoding: messageBytes, as: UTF8.self).split(separator: "\n").first.map(String.init)
    throw CorpusError.decompressionFailed(
      path: path, program: program, reason: message ?? "exit status \(status)")
  }

  /// Waits for the program to exit and returns its wait status, which is 0 on success.
  private func waitForExit() -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 {
      if errno != EINTR { return -1 }
    }
    return status
  }

  private static func makePipe(_ path: String) throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) != 0 { throw CorpusError.unreadable(path: path, reason: systemReason(errno)) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  /// Starts a program found on `PATH`. The program has its own process group, so Ctrl-C in the terminal does not reach
  /// it. Returns an error number.
  private static func spawn(
    _ arguments: [String], input: Int32, output: Int32, messages: Int32, process: inout pid_t
  ) -> Int32 {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t? = nil
      var attributes: posix_spawnattr_t? = nil
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, messages, 2)

    // With SIGPIPE ignored or blocked by inheritance, the program would not exit when reading stops early.
    var none = sigset_t()
    sigemptyset(&none)
    var pipeSignal = sigset_t()
    sigemptyset(&pipeSignal)
    sigaddset(&pipeSignal, SIGPIPE)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &pipeSignal)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))

    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    return posix_spawnp(&process, arguments[0], &actions, &attributes, &words, environ)
  }
}

/// The system call `read`, which methods of the same name hide in classes.
func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
  read(descriptor, buffer.baseAddress, buffer.count)
}

import CALMSupport
import CTorch
import Foundation

/// Processes that work together: libtorch's c10d, with Gloo over TCP for tensors of the CPU and NCCL for those of GPUs.
///
/// All processes of a group must call the same methods in the same order; each call joins that of the others.
///
///     let group = try ProcessGroup(host: "127.0.0.1", port: 29_500, rank: rank, count: 2)
///     try group.sum(tensor)       // now the sum over all processes, in every process
///
/// Where each process has a GPU of its own, the group is told which; it takes tensors of the CPU all the same:
///
///     let group = try ProcessGroup(host: "127.0.0.1", port: 29_500, rank: rank, count: 2, device: .cuda(rank))
///
/// Not for use by two threads at once.
public final class ProcessGroup {
  /// The number of this process, 0 ..< ``count``.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  let handle: ct_process_group
  /// Whether the processes have lost each other.
  private var isBroken = false

  /// Meets the other processes, and waits until all are there.
  ///
  /// - Parameters:
  ///   - host: where process 0 runs.
  ///   - port: where process 0 listens there.
  ///   - rank: the number of this process.
  ///   - count: the number of processes.
  ///   - device: where this process computes: a GPU that no other process of the group has, or the CPU.
  ///   - timeout: how long to wait for the others, here and in every later call.
  /// - Throws: ``ProcessGroupError``.
  public init(
    host: String, port: Int, rank: Int, count: Int, device: Device = .cpu, timeout: Duration = .seconds(600)
  ) throws(ProcessGroupError) {
    var handle: ct_process_group?
    let milliseconds = timeout.components.seconds * 1000 + timeout.components.attoseconds / 1_000_000_000_000_000
    guard
      ct_process_group_new(&handle, host, Int32(port), Int32(rank), Int32(count), device.code, milliseconds) == 0,
      let handle
    else {
      throw ProcessGroupError(
        meetingAt: "\(host):\(port)", rank: rank, count: count, seconds: Int(milliseconds / 1000), lastError())
    }
    (self.rank, self.count, self.handle) = (rank, count, handle)
  }

  deinit {
    // Freeing waits for all work of the CPU that was begun, which a process that hangs would draw out.
    if !isBroken { ct_process_group_free(handle) }
  }

  /// Replaces a tensor by its sum over all processes.
  public func sum(_ tensor: Tensor) throws(ProcessGroupError) {
    try beginSum(tensor).wait()
  }

  /// Begins to replace a tensor by its sum over all processes. The tensor must be left alone until the work has ended.
  public func beginSum(_ tensor: Tensor) throws(ProcessGroupError) -> Work {
    precondition(tensor.isContiguous, "sum of a tensor that is not contiguous")
    return try begin(tensor) { ct_all_reduce($0, self.handle, tensor.handle) }
  }

  /// Replaces a tensor by that of one process.
  public func broadcast(_ tensor: Tensor, from root: Int = 0) throws(ProcessGroupError) {
    precondition(tensor.isContiguous, "broadcast of a tensor that is not contiguous")
    precondition((0..<count).contains(root), "broadcast from process \(root) of \(count)")
    try begin(tensor) { ct_broadcast($0, self.handle, tensor.handle, Int32(root)) }.wait()
  }

  /// The tensors of all processes, which have one shape, along a new first dimension.
  public func gather(_ tensor: Tensor) throws(ProcessGroupError) -> Tensor {
    let own = tensor.contiguous()
    let all = Tensor.empty([count] + own.shape, dtype: own.dtype, device: own.device)
    let (target, source) = (all.reshaped(-1), own.reshaped(-1))
    try begin(source) { ct_all_gather($0, self.handle, target.handle, source.handle) }.wait()
    return all
  }

  /// Waits until all processes have come here.
  public func barrier() throws(ProcessGroupError) {
    try sum(.zeros([1]))
  }

  /// Something that the processes do together while this one goes on.
  public final class Work {
    private let handle: ct_work
    private let tensor: Tensor
    private let group: ProcessGroup

    fileprivate init(owning handle: ct_work, on tensor: Tensor, of group: ProcessGroup) {
      (self.handle, self.tensor, self.group) = (handle, tensor, group)
    }

    deinit { ct_work_free(handle) }

    /// Waits for its end.
    ///
    /// - Throws: ``ProcessGroupError`` where a process went away, or did not come in time.
    public func wait() throws(ProcessGroupError) {
      guard ct_work_wait(handle) == 0 else { throw group.failure() }
    }
  }

  private func begin(
    _ tensor: Tensor, _ body: (UnsafeMutablePointer<ct_work?>) -> Int32
  ) throws(ProcessGroupError) -> Work {
    var work: ct_work?
    guard body(&work) == 0, let work else { throw failure() }
    return Work(owning: work, on: tensor, of: self)
  }

  /// What the last call's failure says; the group is of no use after it.
  func failure() -> ProcessGroupError {
    isBroken = true
    return ProcessGroupError(working: lastError())
  }
}

/// Processes that do not come together, or do not stay so.
public enum ProcessGroupError: DescribedError, Equatable {
  /// Not all processes came in time.
  case absent(address: String, rank: Int, count: Int, seconds: Int, reason: String)
  /// Something else listens where process 0 should.
  case portInUse(address: String)
  /// The processes cannot meet for another reason.
  case unreachable(address: String, reason: String)
  /// A process ended, or its machine is gone.
  case lost(reason: String)
  /// A process did not do its part in time.
  case late(reason: String)

  init(meetingAt address: String, rank: Int, count: Int, seconds: Int, _ message: String) {
    let reason = Self.brief(message)
    if message.contains("EADDRINUSE") || message.contains("Address already in use") {
      self = .portInUse(address: address)
    } else if Self.saysTimeout(message) {
      self = .absent(address: address, rank: rank, count: count, seconds: seconds, reason: reason)
    } else {
      self = .unreachable(address: address, reason: reason)
    }
  }

  init(working message: String) {
    let reason = Self.brief(message)
    self = Self.saysTimeout(message) ? .late(reason: reason) : .lost(reason: reason)
  }

  /// One line of a message of libtorch, Gloo or NCCL, without the place in the source and the advice at its end.
  private static func brief(_ message: String) -> String {
    var text = message[...]
    // NCCL's own words come last.
    if let cause = text.range(of: "Last error:\n"), cause.upperBound < text.endIndex {
      text = text[cause.upperBound...]
    }
    if text.hasPrefix("[/"), let end = text.range(of: "] ") { text = text[end.upperBound...] }
    if let advice = text.range(of: ". This is typically") { text = text[..<advice.lowerBound] }
    return text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func saysTimeout(_ message: String) -> Bool {
    let message = message.lowercased()
    return ["timed out", "timeout", "time out"].contains { message.contains($0) }
  }

  /// One line: the place where the processes should meet, or what became of another, and what to do.
  public var description: String {
    switch self {
    case .absent(let address, let rank, let count, let seconds, let reason):
      "process \(rank): not all of \(count) processes met at \(address) within \(seconds) s (\(reason))"
    case .portInUse(let address):
      "\(address): the port is in use; name another in MASTER_PORT, or leave it to --processes"
    case .unreachable(let address, let reason):
      "\(address): the processes cannot meet there: \(reason)"
    case .lost(let reason):
      "another process of this training has gone; go on from the last checkpoint (\(reason))"
    case .late(let reason):
      "another process of this training did not answer in time; go on from the last checkpoint (\(reason))"
    }
  }
}

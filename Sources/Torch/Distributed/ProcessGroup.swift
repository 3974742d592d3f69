import CALMSupport
import CTorch
import Foundation

/// A group of communicating processes: libtorch's c10d, with Gloo over TCP for CPU tensors and NCCL for GPU tensors.
///
/// All processes of a group must call the same methods in the same order.
///
///     let group = try ProcessGroup(host: "127.0.0.1", port: 29_500, rank: rank, count: 2)
///     try group.sum(tensor)       // now the sum over all processes, in every process
///
/// If each process has its own GPU, pass it as the device. The group then accepts GPU and CPU tensors:
///
///     let group = try ProcessGroup(host: "127.0.0.1", port: 29_500, rank: rank, count: 2, device: .cuda(rank))
///
/// A group is not thread-safe.
public final class ProcessGroup {
  /// The index of this process, 0 ..< ``count``.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  let handle: ct_process_group
  /// Whether a call has failed.
  private var isBroken = false

  /// Connects to the other processes, and waits until all have joined.
  ///
  /// - Parameters:
  ///   - host: the host of process 0.
  ///   - port: the port at which process 0 listens.
  ///   - rank: the index of this process.
  ///   - count: the number of processes.
  ///   - device: the device of this process: a GPU that no other process of the group uses, or the CPU.
  ///   - timeout: the maximum wait for the other processes, here and in every later call.
  /// - Throws: ``ProcessGroupError`` if the processes cannot connect in time.
  public init(
    host: String = "127.0.0.1", port: Int, rank: Int, count: Int, device: Device = .cpu,
    timeout: Duration = .seconds(600)
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
    // Freeing waits for all pending CPU work, which a hung process would delay.
    if !isBroken { ct_process_group_free(handle) }
  }

  /// Replaces a tensor with its sum over all processes.
  public func sum(_ tensor: Tensor) throws(ProcessGroupError) {
    try beginSum(tensor).wait()
  }

  /// Starts to replace a tensor with its sum over all processes. Do not use the tensor until the work has finished.
  public func beginSum(_ tensor: Tensor) throws(ProcessGroupError) -> Work {
    precondition(tensor.isContiguous, "sum: the tensor is not contiguous")
    return try begin(tensor) { ct_all_reduce($0, self.handle, tensor.handle) }
  }

  /// Replaces a tensor with that of process `root`.
  public func broadcast(_ tensor: Tensor, from root: Int = 0) throws(ProcessGroupError) {
    precondition(tensor.isContiguous, "broadcast: the tensor is not contiguous")
    precondition((0..<count).contains(root), "broadcast: there is no process \(root) among \(count)")
    try begin(tensor) { ct_broadcast($0, self.handle, tensor.handle, Int32(root)) }.wait()
  }

  /// Stacks the tensors of all processes, which must have the same shape, along a new first dimension.
  public func gather(_ tensor: Tensor) throws(ProcessGroupError) -> Tensor {
    let own = tensor.contiguous()
    let all = Tensor.empty([count] + own.shape, dtype: own.dtype, device: own.device)
    let (target, source) = (all.reshaped(-1), own.reshaped(-1))
    try begin(source) { ct_all_gather($0, self.handle, target.handle, source.handle) }.wait()
    return all
  }

  /// Waits until all processes have called it.
  public func barrier() throws(ProcessGroupError) {
    try sum(.zeros([1]))
  }

  /// A collective operation that runs in the background.
  public final class Work {
    private let handle: ct_work
    private let tensor: Tensor
    private let group: ProcessGroup

    fileprivate init(owning handle: ct_work, on tensor: Tensor, of group: ProcessGroup) {
      (self.handle, self.tensor, self.group) = (handle, tensor, group)
    }

    deinit { ct_work_free(handle) }

    /// Waits until the operation has finished.
    ///
    /// - Throws: ``ProcessGroupError`` if a process exits or times out.
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

  /// The error of the last call. The group cannot be used afterwards.
  func failure() -> ProcessGroupError {
    isBroken = true
    return ProcessGroupError(working: lastError())
  }
}

/// A failure of communication between processes.
public enum ProcessGroupError: DescribedError, Equatable {
  /// Not all processes joined in time.
  case absent(address: String, rank: Int, count: Int, seconds: Int, reason: String)
  /// Another program listens at the port of process 0.
  case portInUse(address: String)
  /// The processes cannot connect for another reason.
  case unreachable(address: String, reason: String)
  /// A process exited, or its machine is unreachable.
  case lost(reason: String)
  /// A process did not respond in time.
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

  /// A message of libtorch, Gloo or NCCL as one line, without the source location and the trailing advice.
  private static func brief(_ message: String) -> String {
    var text = message[...]
    // NCCL's own message comes last.
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

  /// One line: the address or the process that failed, and the remedy.
  public var description: String {
    switch self {
    case .absent(let address, let rank, let count, let seconds, let reason):
      "process \(rank): not all \(count) processes joined at \(address) within \(seconds) s (\(reason))"
    case .portInUse(let address):
      "\(address): the port is in use; set MASTER_PORT to a free port"
    case .unreachable(let address, let reason):
      "\(address): the processes cannot connect: \(reason)"
    case .lost(let reason):
      "another process of this run exited; resume from the last checkpoint (\(reason))"
    case .late(let reason):
      "another process of this run did not respond in time; resume from the last checkpoint (\(reason))"
    }
  }
}

import CALMSupport
import CTorch

/// The device that stores a tensor and runs its operations.
public enum Device: Sendable, Hashable, CustomStringConvertible {
  /// The CPU.
  case cpu
  /// An NVIDIA GPU, by index.
  case cuda(Int)
  /// The GPU of an Apple computer, through Metal.
  case mps

  /// Parses `cpu`, `cuda`, `cuda:1` or `mps`, and checks that the device is available.
  ///
  /// - Throws: ``DeviceError`` if the name is unknown or the device is unavailable.
  public init(parsing text: String) throws(DeviceError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    switch (parts.first.map(String.init), parts.count) {
    case ("cpu", 1): self = .cpu
    case ("mps", 1):
      guard ct_mps_available() else { throw .unavailable(text, reason: "this libtorch has no Metal support") }
      self = .mps
    case ("cuda", _):
      guard let index = parts.count == 1 ? 0 : Int(parts[1]), index >= 0 else { throw .unknown(text) }
      try CUDA.load()
      guard index < CUDA.deviceCount else {
        throw .unavailable(text, reason: "libtorch finds \(CUDA.deviceCount) CUDA devices")
      }
      self = .cuda(index)
    default: throw .unknown(text)
    }
  }

  /// The name that ``init(parsing:)`` accepts: `cpu`, `cuda:0` or `mps`.
  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    case .mps: "mps"
    }
  }

  /// The largest number of bytes that tensors have occupied on a GPU so far; nil on other devices.
  public var peakMemory: Int? {
    guard case .cuda = self else { return nil }
    var bytes: Int64 = 0
    check(ct_peak_memory(&bytes, code))
    return Int(bytes)
  }

  var code: ct_device {
    switch self {
    case .cpu: ct_device(type: CT_CPU, index: 0)
    case .cuda(let index): ct_device(type: CT_CUDA, index: Int32(index))
    case .mps: ct_device(type: CT_MPS, index: 0)
    }
  }

  init(code: ct_device) {
    switch code.type {
    case CT_CUDA: self = .cuda(Int(code.index))
    case CT_MPS: self = .mps
    default: self = .cpu
    }
  }
}

/// A device that cannot be used.
public enum DeviceError: DescribedError, Equatable {
  /// An unknown device name.
  case unknown(String)
  /// A device that this machine or this libtorch does not support, with the reason.
  case unavailable(String, reason: String)

  /// One line: the unknown name and the valid ones, or the device and the reason.
  public var description: String {
    switch self {
    case .unknown(let text): "unknown device '\(text)'; use cpu, cuda, cuda:N or mps"
    case .unavailable(let text, let reason): "device '\(text)' is unavailable: \(reason)"
    }
  }
}

/// The CUDA part of libtorch, loaded at run time if it is installed.
public enum CUDA {
  private static let loading: Result<Void, DeviceError> =
    ct_load_cuda() == 0
    ? (ct_cuda_available()
      ? .success(())
      : .failure(.unavailable("cuda", reason: "libtorch supports CUDA, but finds no usable GPU or driver")))
    : .failure(
      .unavailable(
        "cuda",
        reason:
          "this libtorch is a CPU build without libtorch_cuda.so; set LIBTORCH to the 'torch' folder of a PyTorch with CUDA, then build again (\(lastError()))"
      ))

  /// Loads libtorch_cuda, once.
  ///
  /// - Throws: ``DeviceError`` if it is not installed or there is no usable GPU.
  public static func load() throws(DeviceError) {
    try loading.get()
  }

  /// Loads NCCL, which GPUs of several processes need to communicate.
  ///
  /// - Throws: ``DeviceError`` if CUDA or NCCL is unavailable.
  public static func loadNCCL() throws(DeviceError) {
    try load()
    guard ct_load_nccl() == 0 else {
      throw .unavailable("cuda", reason: "several processes on GPUs need NCCL: \(lastError())")
    }
  }

  /// The number of GPUs that libtorch finds; 0 before ``load()``.
  public static var deviceCount: Int { Int(ct_cuda_device_count()) }
}

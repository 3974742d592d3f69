import CALMSupport
import CTorch

/// Where a tensor's elements are and its operations run.
public enum Device: Sendable, Hashable, CustomStringConvertible {
  /// The processor and its memory.
  case cpu
  /// An NVIDIA GPU, by number.
  case cuda(Int)
  /// The GPU of an Apple computer.
  case mps

  /// Reads `cpu`, `cuda`, `cuda:1` or `mps`, and makes sure that this machine has it.
  ///
  /// - Throws: ``DeviceError`` for another word, and for a device that is not here.
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

  /// As ``init(parsing:)`` reads it: `cpu`, `cuda:0`, `mps`.
  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    case .mps: "mps"
    }
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
  /// A word that names no device.
  case unknown(String)
  /// A device that this machine or this libtorch does not have, with the reason.
  case unavailable(String, reason: String)

  /// One line: the word and what may stand there, or the device and why it cannot be used.
  public var description: String {
    switch self {
    case .unknown(let text): "there is no device '\(text)': use cpu, cuda, cuda:N or mps"
    case .unavailable(let text, let reason): "device '\(text)' cannot be used: \(reason)"
    }
  }
}

/// The CUDA half of libtorch, loaded while running where it is installed.
public enum CUDA {
  private static let loading: Result<Void, DeviceError> =
    ct_load_cuda() == 0
    ? (ct_cuda_available()
      ? .success(())
      : .failure(.unavailable("cuda", reason: "libtorch_cuda is here, but no usable GPU or driver")))
    : .failure(
      .unavailable(
        "cuda",
        reason:
          "this libtorch is a CPU build without libtorch_cuda.so; build with LIBTORCH naming the 'torch' folder of a PyTorch with CUDA (\(lastError()))"
      ))

  /// Loads libtorch_cuda, once.
  ///
  /// - Throws: ``DeviceError`` with the reason where there is none or no GPU answers.
  public static func load() throws(DeviceError) {
    try loading.get()
  }

  /// Makes sure that the GPUs of several processes can work together, for which libtorch needs NCCL.
  ///
  /// - Throws: ``DeviceError`` with the reason where there is none, and as ``load()`` does.
  public static func loadNCCL() throws(DeviceError) {
    try load()
    guard ct_load_nccl() == 0 else {
      throw .unavailable("cuda", reason: "several processes need NCCL for it, and \(lastError())")
    }
  }

  /// The number of GPUs that libtorch finds; 0 before ``load()``.
  public static var deviceCount: Int { Int(ct_cuda_device_count()) }
}

import CTorch

/// libtorch in this process: its version, threads and memory settings.
public enum Runtime {
  /// The version of libtorch, for example `2.13.0`.
  public static var version: String { String(cString: ct_version()) }

  /// How libtorch was built: compilers, BLAS, oneDNN, OpenMP, in several lines.
  public static var buildConfiguration: String { String(cString: ct_build_configuration()) }

  /// The vector instructions that the kernels of libtorch use, for example `AVX512`.
  public static var processorCapability: String { String(cString: ct_cpu_capability()) }

  /// The number of threads an operation may use. Thread counts change the order of some sums: the same seed gives the
  /// same numbers only on the same count.
  public static var threads: Int {
    get { Int(ct_get_threads()) }
    set { ct_set_threads(Int32(newValue)) }
  }

  /// Keeps the memory of freed tensors in the process, by size, for the next tensors: a training step is up to twice as
  /// fast under glibc. What is kept adds at most a quarter to the most that was in use at once.
  ///
  /// It changes the allocator of the whole process, so it is the program's decision: call it once, at the start.
  public static func tuneAllocator() {
    ct_tune_allocator()
  }
}
